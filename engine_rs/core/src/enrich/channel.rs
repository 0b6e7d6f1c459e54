//! By which channel a visitor came: Google Analytics 4's default channel groups.
//!
//! The rules are those of <https://support.google.com/analytics/answer/9756891>, in its order; the first that holds counts.
//! What that page takes from Google Ads is taken from click ids here. Two names are not Google's: an event whose referrer
//! is the same site is `Internal` (it brought nobody), and a campaign that fits no rule is `Unassigned`, as it is in
//! Google's reports. An event with neither a campaign nor a referrer is `Direct`, a landing or not.

use super::Arena;
use super::campaign::{Campaign, click_id};
use super::page::same_site;
use super::sources::{Category, category};
use memchr::memmem;

macro_rules! channels {
    ($($variant:ident $name:literal,)*) => {
        /// A channel group.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Channel { $($variant,)* }

        impl Channel {
            /// The name in the column `channel`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

channels! {
    Direct "Direct",
    Internal "Internal",
    CrossNetwork "Cross-network",
    PaidShopping "Paid Shopping",
    PaidSearch "Paid Search",
    PaidSocial "Paid Social",
    PaidVideo "Paid Video",
    Display "Display",
    PaidOther "Paid Other",
    OrganicShopping "Organic Shopping",
    OrganicSocial "Organic Social",
    OrganicVideo "Organic Video",
    OrganicSearch "Organic Search",
    AiAssistant "AI Assistant",
    Referral "Referral",
    Email "Email",
    Affiliates "Affiliates",
    Audio "Audio",
    Sms "SMS",
    MobilePush "Mobile Push Notifications",
    Unassigned "Unassigned",
}

/// What an event tells about how its visitor came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Arrival<'a> {
    /// Of the page's URL, or as the client names it.
    pub campaign: Campaign<'a>,
    /// Host of the referrer, lower case.
    pub referrer_host: &'a [u8],
    /// Host of the page, lower case.
    pub page_host: &'a [u8],
}

/// What the rules look at, in lower case.
struct Traffic<'a> {
    source: &'a [u8],
    medium: &'a [u8],
    campaign: &'a [u8],
    category: Option<Category>,
}

impl Channel {
    /// The channel of `arrival`. `arena` is used for scratch copies.
    #[must_use]
    pub fn of(arrival: &Arrival<'_>, arena: &Arena) -> Self {
        let campaign = &arrival.campaign;
        let internal = same_site(arrival.referrer_host, arrival.page_host);
        let referrer = if internal { b"" } else { arrival.referrer_host };
        if !campaign.is_empty() {
            return Traffic::of_campaign(campaign, referrer, arena).channel();
        }
        if !referrer.is_empty() {
            return Self::of_referrer(category(referrer));
        }
        if internal {
            Self::Internal
        } else {
            Self::Direct
        }
    }

    fn of_referrer(category: Option<Category>) -> Self {
        match category {
            Some(Category::Search) => Self::OrganicSearch,
            Some(Category::Social) => Self::OrganicSocial,
            Some(Category::Video) => Self::OrganicVideo,
            Some(Category::Shopping) => Self::OrganicShopping,
            Some(Category::Assistant) => Self::AiAssistant,
            Some(Category::Other) | None => Self::Referral,
        }
    }
}

impl<'a> Traffic<'a> {
    /// What a campaign leaves unsaid is taken from its click id, then from the referrer.
    fn of_campaign(campaign: &Campaign<'a>, referrer: &'a [u8], arena: &'a Arena) -> Self {
        let known = click_id(campaign.click_id_type);
        let (known_source, known_medium) = known.map_or(("", ""), |id| (id.source, id.medium));
        let source = first_of([campaign.source, known_source.as_bytes(), referrer]);
        let source = lower(source, arena);
        Self {
            source,
            medium: lower(
                first_of([campaign.medium, known_medium.as_bytes(), b""]),
                arena,
            ),
            campaign: lower(campaign.name, arena),
            category: category(source),
        }
    }

    fn channel(&self) -> Channel {
        let paid = self.is_paid();
        let shopping = self.category == Some(Category::Shopping) || self.names_a_shop();
        match self.medium {
            b"(none)" | b"(not set)" if self.source == b"(direct)" => Channel::Direct,
            _ if contains(self.campaign, b"cross-network") => Channel::CrossNetwork,
            _ if shopping && paid => Channel::PaidShopping,
            _ if paid && self.category == Some(Category::Search) => Channel::PaidSearch,
            _ if paid && self.category == Some(Category::Social) => Channel::PaidSocial,
            _ if paid && self.category == Some(Category::Video) => Channel::PaidVideo,
            b"display" | b"banner" | b"expandable" | b"interstitial" | b"cpm" => Channel::Display,
            _ if paid => Channel::PaidOther,
            _ if shopping => Channel::OrganicShopping,
            _ => self.unpaid_channel(),
        }
    }

    fn unpaid_channel(&self) -> Channel {
        let medium = self.medium;
        match (self.category, medium) {
            (Some(Category::Social), _)
            | (
                _,
                b"social" | b"social-network" | b"social-media" | b"sm" | b"social network"
                | b"social media",
            ) => Channel::OrganicSocial,
            (Some(Category::Video), _) => Channel::OrganicVideo,
            _ if contains(medium, b"video") => Channel::OrganicVideo,
            (Some(Category::Search), _) | (_, b"organic") => Channel::OrganicSearch,
            (Some(Category::Assistant), _) | (_, b"ai-assistant") => Channel::AiAssistant,
            (_, b"referral" | b"app" | b"link") => Channel::Referral,
            _ if is_email(self.source) || is_email(medium) => Channel::Email,
            (_, b"affiliate" | b"affiliates") => Channel::Affiliates,
            (_, b"audio") => Channel::Audio,
            (_, b"sms") => Channel::Sms,
            _ if self.source == b"sms" => Channel::Sms,
            _ if self.is_push() => Channel::MobilePush,
            _ => Channel::Unassigned,
        }
    }

    /// `^(.*cp.*|ppc|retargeting|paid.*)$`, but for `cpm`, which stands for banners.
    fn is_paid(&self) -> bool {
        self.medium == b"ppc"
            || self.medium == b"retargeting"
            || self.medium.starts_with(b"paid")
            || contains(self.medium, b"cp")
    }

    /// `^(.*(([^a-df-z]|^)shop|shopping).*)$`: shop at a word's start, or after an e as in eshop.
    fn names_a_shop(&self) -> bool {
        contains(self.campaign, b"shopping")
            || memmem::find_iter(self.campaign, b"shop").any(|at| {
                let before = self.campaign[..at].last();
                before.is_none_or(|&byte| byte == b'e' || !byte.is_ascii_lowercase())
            })
    }

    fn is_push(&self) -> bool {
        self.medium.ends_with(b"push")
            || contains(self.medium, b"mobile")
            || contains(self.medium, b"notification")
            || self.source == b"firebase"
    }
}

fn is_email(text: &[u8]) -> bool {
    matches!(text, b"email" | b"e-mail" | b"e_mail" | b"e mail")
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    memmem::find(text, part).is_some()
}

fn first_of(texts: [&[u8]; 3]) -> &[u8] {
    texts
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

fn lower<'a>(text: &'a [u8], arena: &'a Arena) -> &'a [u8] {
    let copy = arena.alloc_slice_copy(text);
    copy.make_ascii_lowercase();
    copy
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of_query(query: &str, referrer: &str) -> &'static str {
        let arena = Arena::new();
        let arrival = Arrival {
            campaign: Campaign::of_query(query.as_bytes(), &arena),
            referrer_host: referrer.as_bytes(),
            page_host: b"www.repairs.example.com",
        };
        Channel::of(&arrival, &arena).name()
    }

    #[test]
    fn referrers_tell_the_channel() {
        for (referrer, channel) in [
            ("", "Direct"),
            ("blog.example.com", "Internal"),
            ("www.repairs.example.com", "Internal"),
            ("www.google.co.uk", "Organic Search"),
            ("duckduckgo.com", "Organic Search"),
            ("search.yahoo.com", "Organic Search"),
            ("l.facebook.com", "Organic Social"),
            ("t.co", "Organic Social"),
            ("m.youtube.com", "Organic Video"),
            ("www.amazon.de", "Organic Shopping"),
            ("chatgpt.com", "AI Assistant"),
            ("gemini.google.com", "AI Assistant"),
            ("docs.google.com", "Referral"),
            ("com.google.android.googlequicksearchbox", "Organic Search"),
            ("somebody.blog", "Referral"),
            ("notgoogle.com", "Referral"),
            ("google.evil.com", "Referral"),
            ("203.0.113.7", "Referral"),
        ] {
            assert_eq!(of_query("", referrer), channel, "{referrer}");
        }
    }

    #[test]
    fn campaigns_tell_the_channel() {
        for (query, channel) in [
            ("utm_source=(direct)&utm_medium=(none)", "Direct"),
            (
                "utm_source=google&utm_medium=cpc&utm_campaign=Cross-network",
                "Cross-network",
            ),
            (
                "utm_source=google&utm_medium=cpc&utm_campaign=eshop",
                "Paid Shopping",
            ),
            ("utm_source=ebay&utm_medium=PPC", "Paid Shopping"),
            (
                "utm_source=google&utm_medium=cpc&utm_campaign=workshops",
                "Paid Search",
            ),
            ("utm_source=Bing&utm_medium=paid-search", "Paid Search"),
            ("utm_source=facebook&utm_medium=paid_social", "Paid Social"),
            ("utm_source=youtube.com&utm_medium=cpv-cpc", "Paid Video"),
            ("utm_source=dv360&utm_medium=banner", "Display"),
            ("utm_source=partner&utm_medium=retargeting", "Paid Other"),
            (
                "utm_source=x-y&utm_medium=z&utm_campaign=shop-now",
                "Organic Shopping",
            ),
            ("utm_source=instagram&utm_medium=story", "Organic Social"),
            ("utm_source=news&utm_medium=social-media", "Organic Social"),
            ("utm_source=vimeo&utm_medium=referral", "Organic Video"),
            ("utm_source=news&utm_medium=video-ad", "Organic Video"),
            ("utm_source=bing&utm_medium=x", "Organic Search"),
            ("utm_source=news&utm_medium=organic", "Organic Search"),
            ("utm_source=news&utm_medium=ai-assistant", "AI Assistant"),
            ("utm_source=partner&utm_medium=referral", "Referral"),
            ("utm_source=newsletter&utm_medium=e-mail", "Email"),
            ("utm_source=E_mail&utm_medium=may", "Email"),
            ("utm_source=partner&utm_medium=affiliate", "Affiliates"),
            ("utm_source=podcast&utm_medium=audio", "Audio"),
            ("utm_source=sms&utm_medium=text", "SMS"),
            (
                "utm_source=app&utm_medium=web-push",
                "Mobile Push Notifications",
            ),
            (
                "utm_source=firebase&utm_medium=x",
                "Mobile Push Notifications",
            ),
            ("utm_source=something&utm_medium=else", "Unassigned"),
        ] {
            assert_eq!(of_query(query, ""), channel, "{query}");
        }
    }

    #[test]
    fn click_ids_and_referrers_fill_what_a_campaign_leaves_out() {
        for (query, referrer, channel) in [
            ("gclid=x", "", "Paid Search"),
            ("gclid=x", "www.google.com", "Paid Search"),
            ("wbraid=x&utm_campaign=cross-network", "", "Cross-network"),
            ("dclid=x", "", "Display"),
            ("msclkid=x", "www.bing.com", "Paid Search"),
            ("fbclid=x", "l.facebook.com", "Organic Social"),
            ("fbclid=x&utm_medium=cpc", "", "Paid Social"),
            ("ttclid=x", "", "Paid Social"),
            ("mc_eid=x", "", "Email"),
            ("irclickid=x", "", "Affiliates"),
            ("srsltid=x", "www.google.com", "Organic Shopping"),
            ("utm_medium=cpc", "www.google.com", "Paid Search"),
            ("utm_campaign=spring", "www.reddit.com", "Organic Social"),
            (
                "utm_source=newsletter&utm_medium=email",
                "www.google.com",
                "Email",
            ),
        ] {
            assert_eq!(of_query(query, referrer), channel, "{query} {referrer}");
        }
    }

    proptest! {
        #[test]
        fn any_texts_have_a_channel(query: Vec<u8>, referrer_host: Vec<u8>, page_host: Vec<u8>) {
            let arena = Arena::new();
            let campaign = Campaign::of_query(&query, &arena);
            let arrival = Arrival { campaign, referrer_host: &referrer_host, page_host: &page_host };
            prop_assert!(!Channel::of(&arrival, &arena).name().is_empty());
        }
    }
}
