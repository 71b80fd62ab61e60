//! Types of text in the `cloud` kinds. They may contain joiners, marks and variation selectors, which Persian
//! and emoji need. The platform publishes no lengths: a limit without a source is chosen by genesync, far
//! above real values.

use super::text::form;

/// Limit of the items of a list, if no source names one.
pub const LIST_MAX: usize = 500;

form!(
    ObjectName,
    "a name of 1 to 100 characters",
    "The name in the platform's screens: 1 to 100 characters, without white space at its start or end.",
    r"^[^\s\p{Cc}\p{Co}\u200B\u2060\u202A-\u202E\u2066-\u2069\uFEFF]([^\p{Cc}\p{Co}\u200B\u2060\u202A-\u202E\u2066-\u2069\uFEFF]*[^\s\p{Cc}\p{Co}\u200B\u2060\u202A-\u202E\u2066-\u2069\uFEFF])?$",
    100,
    ["Acme web (DE)"]
);
form!(
    PlatformName,
    "a name",
    "The name of an object in the organization, as the platform's screens show it.",
    r"^[^\s\p{Cc}\p{Co}\u200B\u2060\u202A-\u202E\u2066-\u2069\uFEFF]([^\p{Cc}\p{Co}\u200B\u2060\u202A-\u202E\u2066-\u2069\uFEFF]*[^\s\p{Cc}\p{Co}\u200B\u2060\u202A-\u202E\u2066-\u2069\uFEFF])?$",
    256,
    ["Inbound web messages"]
);
form!(
    Language,
    "a language tag",
    "A BCP 47 language tag, in upper or lower case.",
    r"^([A-Za-z]{2,3}(-[A-Za-z]{3}){0,3}|[A-Za-z]{4,8})(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?(-([A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*(-[0-9A-WY-Za-wy-z](-[A-Za-z0-9]{2,8})+)*(-[Xx](-[A-Za-z0-9]{1,8})+)?$",
    64,
    ["en-us", "de-de", "zh-Hant-TW"]
);
form!(
    LongHexColour,
    "a colour of six digits",
    "A colour as `#RRGGBB`, in quotes because `#` starts a comment.",
    r"^#[0-9A-Fa-f]{6}$",
    7,
    ["#0B3D91"]
);
form!(Address, "a URL", "An https URL.", r"^[^\s\p{C}]+$", 2_048, ["https://cdn.example.com/logo.png"]);
form!(
    Host,
    "a host name",
    "A host name, without scheme, port and path.",
    r"^[^\s\p{C}]+$",
    300,
    ["www.example.com"]
);
form!(
    Line,
    "a line of text",
    "One line of text.",
    r"^[^\p{Cc}\p{Co}\u200B\u2060\u202A-\u202E\u2066-\u2069\uFEFF]+$",
    1_000,
    ["checkout"]
);
form!(
    Prose,
    "a text of up to 2000 characters",
    "A text.",
    r"^[^\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F]*$",
    2_000,
    ["Welcome"]
);
form!(
    IpRange,
    "an address or a range",
    "An IP address, or a range in CIDR notation.",
    r"^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$",
    49,
    ["192.0.2.0/24", "2001:db8::/32"]
);
form!(
    MediaTypeName,
    "a media type",
    "A media type (RFC 2046), a range of types such as `image/*`, or `*/*` for all.",
    r"^(\*/\*|[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/(\*|[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*))$",
    127,
    ["image/png", "image/*", "*/*"]
);
