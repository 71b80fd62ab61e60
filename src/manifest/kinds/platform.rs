//! Texts of the `cloud` kinds. Joiners, marks and variation selectors may stand in them: Persian and emoji need them. The platform publishes no lengths; where no source is named, a limit is ours
//! and far above what anybody writes.

use super::text::form;

/// Longest list of anything, where no source names a limit.
pub const LIST_MAX: usize = 500;

form!(
    ObjectName,
    "a name of 1 to 100 characters",
    "What the platform's screens call it: 1 to 100 characters, no white space at either end.",
    r"^[^\s\p{Cc}\p{Co}\u200B\u2060\u202A-\u202E\u2066-\u2069\uFEFF]([^\p{Cc}\p{Co}\u200B\u2060\u202A-\u202E\u2066-\u2069\uFEFF]*[^\s\p{Cc}\p{Co}\u200B\u2060\u202A-\u202E\u2066-\u2069\uFEFF])?$",
    100,
    ["Acme web (DE)"]
);
form!(
    PlatformName,
    "a name",
    "The name of something in the organization, as its screens show it.",
    r"^[^\s\p{Cc}\p{Co}\u200B\u2060\u202A-\u202E\u2066-\u2069\uFEFF]([^\p{Cc}\p{Co}\u200B\u2060\u202A-\u202E\u2066-\u2069\uFEFF]*[^\s\p{Cc}\p{Co}\u200B\u2060\u202A-\u202E\u2066-\u2069\uFEFF])?$",
    256,
    ["Inbound web messages"]
);
form!(
    Language,
    "a language tag",
    "A language tag as of BCP 47, in upper or lower case.",
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
    "An IP address, or a range of them in CIDR notation.",
    r"^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$",
    49,
    ["192.0.2.0/24", "2001:db8::/32"]
);
form!(
    MediaTypeName,
    "a media type",
    "A media type as of RFC 2046, a range of types as `image/*`, or `*/*`.",
    r"^(\*/\*|[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/(\*|[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*))$",
    127,
    ["image/png", "image/*", "*/*"]
);
