//! Whose token a request carries, and whose rate limit it counts towards.

use crate::model::{Bucket, CredentialsName, Dialect, OrganizationId, Region, Target};

/// One OAuth client at one API of one region: what has a token of its own.
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

/// Who shares one rate limit: a capability of the dialect.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum BucketKey {
    Organization(OrganizationId),
    Account(Account),
}

impl BucketKey {
    pub(super) fn of(target: &Target, dialect: Dialect) -> Self {
        match dialect.capabilities().bucket {
            Bucket::Organization => BucketKey::Organization(target.organization.clone()),
            Bucket::Token => BucketKey::Account(Account::of(target, dialect)),
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

    /// Two pacers at one bucket of the server would each take the whole of its limit.
    #[test]
    fn what_shares_a_limit_shares_a_bucket() {
        let key = BucketKey::of;
        for (dialect, by_organization) in [(Dialect::Webchat, true), (Dialect::Cloud, false)] {
            let (one, other_client, other_organization) =
                (target("o", "c"), target("o", "d"), target("p", "c"));
            assert_eq!(key(&one, dialect) == key(&other_client, dialect), by_organization);
            assert_eq!(key(&one, dialect) == key(&other_organization, dialect), !by_organization);
        }
        let one = target("o", "c");
        assert_ne!(key(&one, Dialect::Webchat), key(&one, Dialect::Cloud));
    }
}
