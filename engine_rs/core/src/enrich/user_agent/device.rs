//! What kind of device a user agent runs on.

/// A kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub enum DeviceType {
    Desktop,
    Mobile,
    Tablet,
    Tv,
    Console,
    Bot,
    #[default]
    Other,
}

/// Tokens that tell a kind, the more telling kinds first: a television may call itself Linux or Android too.
const TOKENS: &[(DeviceType, &[&str])] = &[
    (
        DeviceType::Console,
        &["PlayStation", "PLAYSTATION", "Xbox", "Nintendo"],
    ),
    (
        DeviceType::Tv,
        &[
            "SmartTV",
            "SMART-TV",
            "Smart-TV",
            "SmartHub",
            "GoogleTV",
            "Google TV",
            "Android TV",
            "AppleTV",
            "Apple TV",
            "HbbTV",
            "Web0S",
            "webOS.TV",
            "NetCast",
            "NETTV",
            "BRAVIA",
            "Viera",
            "VIDAA",
            "Roku",
            "CrKey",
            "AFTT ",
            "AFTM ",
            "AFTS ",
            "AFTB ",
            "AFTKA",
            "AFTMM",
            "AFTSS",
            "DTV",
            " TV ",
        ],
    ),
    // Before the tablets: Windows says Tablet PC where there is a pen.
    (DeviceType::Desktop, &["Windows NT"]),
    (
        DeviceType::Tablet,
        &[
            "iPad", "Tablet", "tablet", "PlayBook", "Kindle", "Silk/", "KFTT", "Nexus 7",
            "Nexus 9", "Nexus 10",
        ],
    ),
    (
        DeviceType::Mobile,
        &[
            "iPhone",
            "iPod",
            "Mobile",
            "Windows Phone",
            "IEMobile",
            "BlackBerry",
            "BB10",
            "Opera Mini",
            "Opera Mobi",
            "KAIOS",
            "Symbian",
            "J2ME",
            "MIDP",
            "Phone",
        ],
    ),
    // Of Android, browsers on telephones say Mobile, and what is left has a larger screen; but native apps never say it.
    (DeviceType::Mobile, &["Dalvik/"]),
    (DeviceType::Tablet, &["Android"]),
    (
        DeviceType::Desktop,
        &[
            "Windows",
            "Macintosh",
            "Mac OS X",
            "Mac_PowerPC",
            "X11",
            "CrOS",
            "Linux",
            "FreeBSD",
            "OpenBSD",
        ],
    ),
];

impl DeviceType {
    /// The kind that the user agent `header` on the system `os` tells; never [`DeviceType::Bot`].
    #[must_use]
    pub fn of(header: &str, os: &str) -> Self {
        let told = TOKENS
            .iter()
            .find(|(_, tokens)| tokens.iter().any(|token| header.contains(token)));
        match (told, os) {
            (Some((kind, _)), _) => *kind,
            (None, "iOS" | "watchOS") => Self::Mobile,
            (None, "tvOS" | "ATV OS X") => Self::Tv,
            _ => Self::Other,
        }
    }

    /// The name in the column `device_type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Mobile => "mobile",
            Self::Tablet => "tablet",
            Self::Tv => "tv",
            Self::Console => "console",
            Self::Bot => "bot",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart() {
        use DeviceType::*;
        for (header, kind) in [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/129.0.0.0 Safari/537.36",
                Desktop,
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile/15E148 Safari/604.1",
                Mobile,
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) Version/16.6 Mobile/15E148 Safari/604.1",
                Tablet,
            ),
            (
                "Mozilla/5.0 (Linux; Android 14; SM-S911B) Chrome/129.0.0.0 Mobile Safari/537.36",
                Mobile,
            ),
            (
                "Mozilla/5.0 (Linux; Android 13; SM-X700) Chrome/129.0.0.0 Safari/537.36",
                Tablet,
            ),
            (
                "Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.0) Chrome/76.0 TV Safari/537.36",
                Tv,
            ),
            (
                "Mozilla/5.0 (Linux; Android 9; AFTMM Build/PS7633) Chrome/112.0 Mobile Safari/537.36",
                Tv,
            ),
            (
                "Mozilla/5.0 (PlayStation; PlayStation 5/2.26) AppleWebKit/605.1.15",
                Console,
            ),
            (
                "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Tablet PC 2.0)",
                Desktop,
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox One) Edge/44.18363",
                Console,
            ),
            (
                "Dalvik/2.1.0 (Linux; U; Android 14; SM-S911B Build/UP1A.231005.007)",
                Mobile,
            ),
            (
                "Dalvik/2.1.0 (Linux; U; Android 11; Nexus 9 Build/RP1A.200720.012)",
                Tablet,
            ),
            ("Dalvik/2.1.0 (Linux; U; Android 9; AFTMM Build/PS7633)", Tv),
            ("curl/8.5.0", Other),
            ("", Other),
        ] {
            assert_eq!(DeviceType::of(header, ""), kind, "{header}");
        }
        assert_eq!(
            DeviceType::of("Newsify/120 CFNetwork/672 Darwin/14", "iOS"),
            Mobile
        );
    }
}
