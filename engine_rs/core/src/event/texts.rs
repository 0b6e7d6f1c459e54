//! The text columns of an event.

use crate::record::RecordError;

macro_rules! texts {
    ($($variant:ident $column:literal,)*) => {
        /// A text column of an event. The order is part of the journal format: append only.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum Text { $($variant,)* }

        impl Text {
            /// All of them, in the order of their numbers.
            pub const ALL: [Self; [$($column),*].len()] = [$(Self::$variant),*];

            /// The column's name in the table `events`.
            #[must_use]
            pub const fn column(self) -> &'static str {
                match self { $(Self::$variant => $column,)* }
            }
        }
    };
}

texts! {
    ProjectId "project_id",
    EventId "event_id",
    EventName "event_name",
    AnonymousId "anonymous_id",
    UserId "user_id",
    ClientSessionId "client_session_id",
    GroupId "group_id",
    PreviousId "previous_id",
    PageUrl "page_url",
    PagePath "page_path",
    PageHost "page_host",
    PageTitle "page_title",
    PageReferrer "page_referrer",
    ReferrerHost "referrer_host",
    UtmSource "utm_source",
    UtmMedium "utm_medium",
    UtmCampaign "utm_campaign",
    UtmTerm "utm_term",
    UtmContent "utm_content",
    ClickIdType "click_id_type",
    ClickId "click_id",
    Channel "channel",
    UserAgent "user_agent",
    Browser "browser",
    BrowserVersion "browser_version",
    Os "os",
    OsVersion "os_version",
    DeviceType "device_type",
    DeviceBrand "device_brand",
    DeviceModel "device_model",
    BotName "bot_name",
    Locale "locale",
    Timezone "timezone",
    Country "country",
    Region "region",
    City "city",
    Ip "ip",
    Element "element",
    ElementText "element_text",
    FormId "form_id",
    Currency "currency",
    LibraryName "library_name",
    LibraryVersion "library_version",
}

/// How many text columns an event has.
pub const TEXTS: usize = Text::ALL.len();

/// The texts of an event; absent ones are empty. Which ones there are is known without looking at each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Texts<'a> {
    by_number: [&'a [u8]; TEXTS],
    /// A bit for each text that is not empty.
    bits: u64,
}

impl Default for Texts<'_> {
    fn default() -> Self {
        Self {
            by_number: [&[]; TEXTS],
            bits: 0,
        }
    }
}

impl<'a> Texts<'a> {
    /// One of them.
    #[inline]
    #[must_use]
    pub fn get(&self, text: Text) -> &'a [u8] {
        self.by_number[text as usize]
    }

    /// Sets one of them.
    #[inline]
    pub fn set(&mut self, text: Text, value: &'a [u8]) {
        self.by_number[text as usize] = value;
        let bit = 1 << text as u32;
        self.bits = self.bits & !bit | u64::from(!value.is_empty()) << text as u32;
    }

    /// Those that are not empty, with their numbers, in their order.
    #[inline]
    pub fn present(&self) -> impl Iterator<Item = (usize, &'a [u8])> + '_ {
        numbers_of(self.bits).map(|number| (number, self.by_number[number]))
    }

    /// Bit `number` says whether the text of that number is not empty.
    #[inline]
    pub(super) fn bits(&self) -> u64 {
        self.bits
    }

    /// Takes from `next` a text for each bit.
    #[inline]
    pub(super) fn read(
        &mut self,
        bits: u64,
        mut next: impl FnMut() -> Result<&'a [u8], RecordError>,
    ) -> Result<(), RecordError> {
        self.bits = bits;
        for number in numbers_of(bits) {
            let text = self.by_number.get_mut(number);
            *text.ok_or(RecordError::Unknown)? = next()?;
        }
        Ok(())
    }
}

/// The numbers of the bits that are set.
#[inline]
fn numbers_of(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let number = bits.trailing_zeros() as usize;
        bits &= bits.wrapping_sub(1);
        (number < 64).then_some(number)
    })
}
