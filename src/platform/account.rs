//! Selects the token of a request, and the rate limit that it counts towards.

use crate::model::{Bucket, CredentialsName, Dialect, OrganizationId, Region, Target};

/// One OAuth client at one API of one region. Each account has its own tokens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Account {
    pub region: Region,
    pub credentials: CredentialsName,
    pub dialect: Dialect,
}

impl Account {
    pub(super) fn of(target: &Target, dialect: Dialect) -> Self {
        Self { region: target.region, credentials: target.credentials.clone(), dialect }
    }
}

/// The owner of one rate limit, depending on the dialect.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum BucketKey {
    Organization(OrganizationId),
    /// One of the tokens of an account, by its number.
    Token(Account, u8),
}

impl BucketKey {
    /// Returns the buckets for requests about a target if its client uses this number of tokens. genesync
    /// uses up the first bucket before it uses the next one, so that it never fetches a token without need.
    pub(super) fn all(target: &Target, dialect: Dialect, tokens: u8) -> Vec<Self> {
        match dialect.capabilities().bucket {
            Bucket::Organization => vec![BucketKey::Organization(target.organization.clone())],
            Bucket::Token => {
                let account = Account::of(target, dialect);
                (0..tokens.max(1)).map(|number| BucketKey::Token(account.clone(), number)).collect()
            }
        }
    }

    /// Returns the number of the token for a request.
    pub(super) fn token(&self) -> u8 {
        match self {
            BucketKey::Organization(_) => 0,
            BucketKey::Token(_, number) => *number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Object;

    fn target(organization: &str, credentials: &str) -> Target {
        Target {
            organization: OrganizationId::new(organization),
            region: Region::EuWest1,
            credentials: CredentialsName::new(credentials),
            object: Object::implied(),
        }
    }

    /// With two pacers for one bucket of the server, each would use the whole limit.
    #[test]
    fn targets_with_the_same_limit_share_a_bucket() {
        let key = |target: &Target, dialect| BucketKey::all(target, dialect, 1);
        for (dialect, by_organization) in [(Dialect::Webchat, true), (Dialect::Cloud, false)] {
            let (one, other_client, other_organization) =
                (target("o", "c"), target("o", "d"), target("p", "c"));
            assert_eq!(key(&one, dialect) == key(&other_client, dialect), by_organization);
            assert_eq!(key(&one, dialect) == key(&other_organization, dialect), !by_organization);
        }
        let one = target("o", "c");
        assert_ne!(key(&one, Dialect::Webchat), key(&one, Dialect::Cloud));
    }

    #[test]
    fn more_tokens_are_more_buckets_only_if_the_limit_is_per_token() {
        let numbers = |dialect| -> Vec<u8> {
            let keys = BucketKey::all(&target("o", "c"), dialect, 3);
            keys.iter().map(BucketKey::token).collect()
        };
        assert_eq!(numbers(Dialect::Cloud), [0, 1, 2]);
        assert_eq!(numbers(Dialect::Webchat), [0]);
    }
}
