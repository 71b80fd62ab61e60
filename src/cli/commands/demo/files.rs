//! The example tenants for `genesync demo`, embedded in the binary.

macro_rules! embedded {
    ($path:literal) => {
        ($path, include_str!(concat!("../../../../", $path)))
    };
}

/// Paths from the repository's root, with their texts. A test compares the list with the folders.
pub const FILES: &[(&str, &str)] = &[
    embedded!("genesync.yaml"),
    embedded!("bases/public-service.yaml"),
    embedded!("bases/retail.yaml"),
    embedded!("tenants/al-nawras-air/tenant.yaml"),
    embedded!("tenants/al-nawras-air/web.yaml"),
    embedded!("tenants/bazaarly/tenant.yaml"),
    embedded!("tenants/bazaarly/web.yaml"),
    embedded!("tenants/harbour-hotels/deployment.yaml"),
    embedded!("tenants/harbour-hotels/messenger.yaml"),
    embedded!("tenants/harbour-hotels/tenant.yaml"),
    embedded!("tenants/kyoto-gakuin/tenant.yaml"),
    embedded!("tenants/kyoto-gakuin/web.yaml"),
    embedded!("tenants/marktplatz/tenant.yaml"),
    embedded!("tenants/marktplatz/web.yaml"),
    embedded!("tenants/northbank/tenant.yaml"),
    embedded!("tenants/northbank/web.yaml"),
    embedded!("tenants/osmosis-labs/messenger.yaml"),
    embedded!("tenants/osmosis-labs/tenant.yaml"),
    embedded!("tenants/pixelforge/tenant.yaml"),
    embedded!("tenants/pixelforge/web.yaml"),
    embedded!("tenants/sundale-clinic/tenant.yaml"),
    embedded!("tenants/sundale-clinic/web.yaml"),
    embedded!("tenants/ville-de-lumiere/tenant.yaml"),
    embedded!("tenants/ville-de-lumiere/web.yaml"),
];

/// A manifest that fails the rule `contrast`. The demo shows it and never applies it.
pub const FAILING: (&str, &str) =
    ("web.yaml", include_str!("../../../../tests/fixtures/rules/contrast/bad.yaml"));
