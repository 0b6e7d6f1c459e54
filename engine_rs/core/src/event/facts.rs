//! What an event is, and the yes or no that goes with it.

macro_rules! event_types {
    ($($variant:ident $name:literal,)*) => {
        /// The default vocabulary; whatever else happens is `Custom`. The order is part of the journal format: append only.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum EventType { #[default] Custom, $($variant,)* }

        impl EventType {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[Self::Custom, $(Self::$variant,)*];

            /// The name in `event_type`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { Self::Custom => "custom", $(Self::$variant => $name,)* }
            }

            /// The type of that name, `Custom` for every name outside the vocabulary.
            #[must_use]
            pub fn from_name(name: &[u8]) -> Self {
                $(if name == $name.as_bytes() { return Self::$variant; })*
                Self::Custom
            }
        }
    };
}

event_types! {
    PageView "page_view",
    PageUnload "page_unload",
    SessionStart "session_start",
    SessionEnd "session_end",
    ScrollMilestone "scroll_milestone",
    ClickEvent "click_event",
    RageClick "rage_click",
    FormFocus "form_focus",
    FormSubmit "form_submit",
    FormAbandon "form_abandon",
    ServiceView "service_view",
    PricingCheck "pricing_check",
    ComparisonView "comparison_view",
    BookingStart "booking_start",
    BookingAbandon "booking_abandon",
    BookingComplete "booking_complete",
    ContactView "contact_view",
    QuoteRequest "quote_request",
    ExitIntent "exit_intent",
    ReturnVisit "return_visit",
    SearchPerform "search_perform",
    FilterApply "filter_apply",
    ReviewRead "review_read",
    PagePerformance "page_performance",
    ApiResponse "api_response",
    ErrorOccurred "error_occurred",
    Identify "identify",
    Group "group",
    Alias "alias",
    Screen "screen",
    ConsentUpdate "consent_update",
    OrderCompleted "order_completed",
    ServiceCompleted "service_completed",
}

impl EventType {
    pub(super) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(code as usize).copied()
    }
}

/// A visitor's word on being observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Consent {
    /// Nothing was said.
    #[default]
    Unknown,
    /// Granted.
    Granted,
    /// Denied.
    Denied,
}

impl Consent {
    /// The name in the column `consent`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Granted => "granted",
            Self::Denied => "denied",
        }
    }
}

/// Yes-or-no facts about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    /// Imported: its time is taken as it is, and nothing is triggered now.
    pub historical: bool,
    /// Its client's clock was wrong and has been corrected.
    pub clock_skewed: bool,
    /// Its user agent is a robot's.
    pub bot: bool,
    /// Global Privacy Control was on.
    pub gpc: bool,
}

impl Flags {
    pub(super) fn bits(self) -> u8 {
        u8::from(self.historical)
            | u8::from(self.clock_skewed) << 1
            | u8::from(self.bot) << 2
            | u8::from(self.gpc) << 3
    }

    pub(super) fn from_bits(bits: u8) -> Self {
        Self {
            historical: bits & 1 != 0,
            clock_skewed: bits & 2 != 0,
            bot: bits & 4 != 0,
            gpc: bits & 8 != 0,
        }
    }
}
