//! Ordinary events of a shop's site, the same ones for the same numbers.

use reviva_core::event::{Event, EventType, Text};
use reviva_core::record::hash128;
use reviva_core::value;

/// What an event borrows.
pub struct Sample {
    number: u64,
    texts: Vec<(Text, String)>,
    properties: Vec<u8>,
}

/// Texts that few events share, and how many different ones there are of each of the others.
const SHARED_TEXTS: [(Text, u64); 21] = [
    (Text::ProjectId, 1),
    (Text::EventName, 12),
    (Text::PagePath, 200),
    (Text::PageHost, 1),
    (Text::PageTitle, 200),
    (Text::ReferrerHost, 20),
    (Text::UtmSource, 5),
    (Text::UtmMedium, 4),
    (Text::UtmCampaign, 10),
    (Text::Channel, 10),
    (Text::UserAgent, 400),
    (Text::Browser, 6),
    (Text::BrowserVersion, 40),
    (Text::Os, 5),
    (Text::OsVersion, 20),
    (Text::DeviceType, 3),
    (Text::Locale, 10),
    (Text::Timezone, 20),
    (Text::Country, 20),
    (Text::LibraryName, 2),
    (Text::LibraryVersion, 3),
];

impl Sample {
    /// The event of this number.
    pub fn new(number: u64) -> Self {
        let mix = hash128(&[&number.to_le_bytes()]);
        let pick = |salt: usize, of: u64| (mix >> (salt * 5)) as u64 % of;
        let mut texts: Vec<(Text, String)> = SHARED_TEXTS
            .iter()
            .enumerate()
            .map(|(salt, &(text, of))| {
                (text, format!("{} number {}", text.column(), pick(salt, of)))
            })
            .collect();
        let visitor = number / 64 * 8 + number % 8;
        texts.push((Text::EventId, format!("{mix:032x}")));
        texts.push((
            Text::AnonymousId,
            format!("{:032x}", hash128(&[&visitor.to_be_bytes()])),
        ));
        texts.push((
            Text::PageUrl,
            format!(
                "https://example.com/page/{}?q={}",
                pick(2, 200),
                pick(9, 1_000)
            ),
        ));
        texts.push((Text::Ip, format!("10.{}.{}.0", pick(3, 250), pick(4, 250))));
        Self {
            number,
            texts,
            properties: properties(number % 12, mix),
        }
    }

    /// The event itself.
    pub fn event(&self) -> Event<'_> {
        let visitor = self.number / 64 * 8 + self.number % 8;
        let mut event = Event {
            event_type: EventType::ALL[(self.number % 12) as usize + 1],
            timestamp_ms: 1_790_000_000_000 + self.number as i64,
            received_at_ms: 1_790_000_000_050 + self.number as i64,
            sent_at_ms: Some(1_790_000_000_020 + self.number as i64),
            visitor: hash128(&[&visitor.to_le_bytes()]),
            payload_hash: hash128(&[&self.number.to_be_bytes()]) as u64,
            screen: (1920, 1080),
            viewport: (1280, 720),
            properties: &self.properties,
            ..Event::default()
        };
        for (text, value) in &self.texts {
            event.set(*text, value.as_bytes());
        }
        event
    }
}

/// Seven properties, three of them of this type of event only.
fn properties(event_type: u64, mix: u128) -> Vec<u8> {
    let mut out = Vec::new();
    let path = |out: &mut Vec<u8>, name: &str| value::put_path(out, name.as_bytes());
    path(&mut out, "position");
    value::put_int(&mut out, (mix % 100) as i64);
    path(&mut out, "price");
    value::put_float(&mut out, (mix % 10_000) as f64 / 100.0 + 0.001);
    path(&mut out, "service.name");
    value::put_str(
        &mut out,
        format!("repair of a kind {}", mix % 50).as_bytes(),
    );
    path(&mut out, "is_member");
    value::put_bool(&mut out, mix.is_multiple_of(3));
    for own in 0..3 {
        path(&mut out, &format!("of_type_{event_type}.field_{own}"));
        if own == 0 {
            value::put_str(&mut out, format!("value {}", mix % 1_000).as_bytes());
        } else {
            value::put_int(&mut out, (mix % 1_000_000) as i64);
        }
    }
    out
}
