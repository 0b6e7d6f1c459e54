//! Loads that are begun before their result is needed.

#![allow(unsafe_code)]

/// Begins to load `value`, if the machine has a way to do so.
#[inline]
pub fn prefetch<T>(value: &T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for offset in (0..size_of::<T>()).step_by(64) {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the address lies inside `value`, and a prefetch changes nothing and cannot fault.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).byte_add(offset).cast()) };
    }
    #[cfg(any(not(target_arch = "x86_64"), miri))]
    let _ = value;
}
