//! Recognises the big browsers and operating systems without any rules; calls them by uap-core's names.

use super::UserAgent;

/// Token before the version, and the browser. Those that also carry another's token come first.
const BROWSERS: &[(&str, &str)] = &[
    ("Edg/", "Edge"),
    ("EdgA/", "Edge Mobile"),
    ("EdgiOS/", "Edge Mobile"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("YaBrowser/", "Yandex Browser"),
    ("Vivaldi/", "Vivaldi"),
    ("UCBrowser/", "UC Browser"),
    ("CriOS/", "Chrome Mobile iOS"),
    ("FxiOS/", "Firefox iOS"),
    ("Iceweasel/", "Iceweasel"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("MSIE ", "IE"),
    ("Trident/7.0; rv:", "IE"),
    ("curl/", "curl"),
];

/// Token before the version, and the system.
const SYSTEMS: &[(&str, &str)] = &[
    ("Windows Phone ", "Windows Phone"),
    ("Windows NT ", "Windows"),
    ("CPU iPhone OS ", "iOS"),
    ("CPU OS ", "iOS"),
    ("Android ", "Android"),
    ("CrOS x86_64 ", "Chrome OS"),
    ("Mac OS X ", "Mac OS X"),
    ("Ubuntu", "Ubuntu"),
    ("Linux", "Linux"),
];

/// Windows by the version of its kernel.
const WINDOWS: &[(&str, &str)] = &[
    ("10.0", "10"),
    ("6.3", "8.1"),
    ("6.2", "8"),
    ("6.1", "7"),
    ("6.0", "Vista"),
    ("5.1", "XP"),
];

pub(super) fn recognise(header: &str) -> UserAgent {
    let (browser, browser_version) = find(header, BROWSERS)
        .or_else(|| safari(header))
        .unwrap_or_default();
    let (os, os_version) = find(header, SYSTEMS).unwrap_or_default();
    let mobile = header.contains("Mobile");
    UserAgent {
        browser: match browser {
            "Chrome" if mobile => "Chrome Mobile",
            "Firefox" if header.contains("Android") => "Firefox Mobile",
            "Safari" if os == "Android" => "Android",
            "Safari" if mobile => "Mobile Safari",
            browser => browser,
        }
        .to_owned(),
        browser_version,
        os: os.to_owned(),
        os_version: match WINDOWS.iter().find(|(kernel, _)| *kernel == os_version) {
            Some((_, version)) if os == "Windows" => (*version).to_owned(),
            _ => os_version,
        },
        ..apple(header)
    }
}

fn find(header: &str, table: &[(&str, &'static str)]) -> Option<(&'static str, String)> {
    table.iter().find_map(|(token, name)| {
        let at = header.find(token)? + token.len();
        Some((*name, version(&header[at..])))
    })
}

fn safari(header: &str) -> Option<(&'static str, String)> {
    let at = header.find("Version/")? + "Version/".len();
    header
        .contains("Safari/")
        .then(|| ("Safari", version(&header[at..])))
}

/// The number that `text` begins with, to its third part.
fn version(text: &str) -> String {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_');
    let parts = text[..end.unwrap_or(text.len())].split(['.', '_']);
    parts.take(3).collect::<Vec<_>>().join(".")
}

fn apple(header: &str) -> UserAgent {
    let model = ["iPhone", "iPad", "iPod", "Macintosh"]
        .into_iter()
        .find(|model| header.contains(model));
    UserAgent {
        device_brand: model.map_or("", |_| "Apple").to_owned(),
        device_model: match model {
            Some("Macintosh") => "Mac",
            model => model.unwrap_or_default(),
        }
        .to_owned(),
        ..UserAgent::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_big_ones_are_known() {
        for (header, browser, version, os, os_version) in [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.6668.59 Safari/537.36 Edg/129.0.2792.52",
                "Edge",
                "129.0.2792",
                "Windows",
                "10",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
                "Mobile Safari",
                "17.5",
                "iOS",
                "17.5.1",
            ),
            (
                "Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Mobile Safari/537.36",
                "Chrome Mobile",
                "129.0.0",
                "Android",
                "14",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0",
                "Firefox",
                "131.0",
                "Linux",
                "",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15",
                "Safari",
                "17.4",
                "Mac OS X",
                "10.15.7",
            ),
            ("something else", "", "", "", ""),
        ] {
            let found = recognise(header);
            let texts = [
                found.browser,
                found.browser_version,
                found.os,
                found.os_version,
            ];
            assert_eq!(
                texts,
                [browser, version, os, os_version].map(str::to_owned),
                "{header}"
            );
        }
    }
}
