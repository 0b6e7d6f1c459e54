//! What a page's URL and referrer tell: hosts, path, campaign, click id and channel.

use super::memo::Memo;
use crate::enrich::Arena;
use crate::enrich::campaign::Campaign;
use crate::enrich::channel::{Arrival, Channel};
use crate::enrich::page::Url;
use crate::event::{Event, Text};

/// Those of the pages that were seen last.
pub(super) type Landings = Memo<Landing, 512>;

/// What one URL with one referrer tells, of an event that names no campaign itself.
#[derive(Debug)]
pub(super) struct Landing {
    /// One after the other, in the order of [`TOLD`].
    texts: Vec<u8>,
    ends: [usize; TOLD.len()],
    campaign: u64,
    channel: &'static str,
}

const CAMPAIGN: [Text; 5] = [
    Text::UtmSource,
    Text::UtmMedium,
    Text::UtmCampaign,
    Text::UtmTerm,
    Text::UtmContent,
];

const TOLD: [Text; 10] = [
    Text::PageHost,
    Text::PagePath,
    Text::ReferrerHost,
    CAMPAIGN[0],
    CAMPAIGN[1],
    CAMPAIGN[2],
    CAMPAIGN[3],
    CAMPAIGN[4],
    Text::ClickIdType,
    Text::ClickId,
];

/// Adds to the event what its page tells; what the client said itself stays.
pub(super) fn enrich_page<'e>(event: &mut Event<'e>, arena: &'e Arena, landings: &mut Landings) {
    let (url, referrer) = (event.text(Text::PageUrl), event.text(Text::PageReferrer));
    if CAMPAIGN.iter().any(|&text| !event.text(text).is_empty()) {
        let channel = read_page(event, arena);
        event.set(Text::Channel, channel.as_bytes());
    } else if !(url.is_empty() && referrer.is_empty()) {
        landings
            .get([url, referrer], || Landing::of(url, referrer))
            .put(event, arena);
    }
}

impl Landing {
    fn of(url: &[u8], referrer: &[u8]) -> Self {
        let arena = Arena::new();
        let mut event = Event::default();
        event.set(Text::PageUrl, url);
        event.set(Text::PageReferrer, referrer);
        let channel = read_page(&mut event, &arena);
        let mut texts = Vec::new();
        let ends = TOLD.map(|text| {
            texts.extend_from_slice(event.text(text));
            texts.len()
        });
        Self {
            texts,
            ends,
            campaign: event.campaign,
            channel,
        }
    }

    #[inline]
    fn put<'e>(&self, event: &mut Event<'e>, arena: &'e Arena) {
        let texts: &'e [u8] = arena.alloc_slice_copy(&self.texts);
        let mut start = 0;
        for (text, end) in TOLD.into_iter().zip(self.ends) {
            if end > start && (text as u8 != Text::PagePath as u8 || event.text(text).is_empty()) {
                event.set(text, &texts[start..end]);
            }
            start = end;
        }
        event.campaign = self.campaign;
        event.set(Text::Channel, self.channel.as_bytes());
    }
}

/// Takes the URLs apart; returns the channel, empty where nothing is known of how the visitor came.
fn read_page<'e>(event: &mut Event<'e>, arena: &'e Arena) -> &'static str {
    let url = Url::parse(event.text(Text::PageUrl), arena);
    let referrer = Url::parse(event.text(Text::PageReferrer), arena);
    event.set(Text::PageHost, url.host);
    event.set(Text::ReferrerHost, referrer.host);
    if event.text(Text::PagePath).is_empty() {
        event.set(Text::PagePath, url.path);
    }
    let campaign = read_campaign(event, url.query, arena);
    event.campaign = campaign.hash();
    if url.host.is_empty() && referrer.host.is_empty() && campaign.is_empty() {
        return "";
    }
    let arrival = Arrival {
        campaign,
        referrer_host: referrer.host,
        page_host: url.host,
    };
    Channel::of(&arrival, arena).name()
}

/// The campaign as the client names it, the rest as the page's URL does.
fn read_campaign<'e>(event: &mut Event<'e>, query: &'e [u8], arena: &'e Arena) -> Campaign<'e> {
    let mut campaign = Campaign::of_query(query, arena);
    let fields = [
        &mut campaign.source,
        &mut campaign.medium,
        &mut campaign.name,
        &mut campaign.term,
        &mut campaign.content,
    ];
    for (text, field) in CAMPAIGN.into_iter().zip(fields) {
        if event.text(text).is_empty() {
            event.set(text, field);
        } else {
            *field = event.text(text);
        }
    }
    event.set(Text::ClickIdType, campaign.click_id_type);
    event.set(Text::ClickId, campaign.click_id);
    campaign
}
