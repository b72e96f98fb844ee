//! One source, several instruction sets: the compiler vectorises the same loop for each, the machine picks at run time.

/// The widest set of vector instructions this machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Baseline,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// The standard library caches what it finds: a load and a test a call.
#[inline]
pub fn level() -> Level {
    #[cfg(target_arch = "x86_64")]
    {
        let has_avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        if has_avx2 && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
            return Level::Avx512;
        }
        if has_avx2 {
            return Level::Avx2;
        }
    }
    Level::Baseline
}

/// Whether a fused multiply-add is an instruction even in the baseline; elsewhere it would be a slow library call.
pub const BASELINE_FMA: bool = cfg!(target_arch = "aarch64");

/// `a * b + c`, fused where `FMA` says that the surrounding code is compiled for it.
#[inline(always)]
pub fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Defines `fn name(args)` that runs `body::<FMA>(args)`, compiled for each [`Level`]. `body` must be
/// `#[inline(always)]`, so that it takes on the instruction set of the function it lands in.
macro_rules! dispatched {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $out:ty)? => $body:ident) => {
        $(#[$doc])*
        $vis fn $name($($arg: $ty),*) $(-> $out)? {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512bw")]
            fn avx512($($arg: $ty),*) $(-> $out)? {
                $body::<true>($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $ty),*) $(-> $out)? {
                $body::<true>($($arg),*)
            }
            match $crate::kernels::simd::level() {
                // SAFETY: `level` has seen the instructions these two are compiled for.
                #[cfg(target_arch = "x86_64")]
                $crate::kernels::simd::Level::Avx512 => unsafe { avx512($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                $crate::kernels::simd::Level::Avx2 => unsafe { avx2($($arg),*) },
                $crate::kernels::simd::Level::Baseline => $body::<{ $crate::kernels::simd::BASELINE_FMA }>($($arg),*),
            }
        }
    };
}
pub(crate) use dispatched;
