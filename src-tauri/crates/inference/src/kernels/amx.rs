//! The tiles of AMX: eight registers of 16 rows of 64 bytes, and instructions that multiply them. Stable Rust has no
//! names for them, so whoever uses them writes them in assembly. Linux lends them to a process that asks.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
use std::sync::OnceLock;

use super::simd::{Level, level};

/// Rows of a tile; of a tile of sums also the columns.
pub const ROWS: usize = 16;

/// Bytes of a row.
pub const ROW_BYTES: usize = 64;

/// All eight tiles of this processor, whole, held by this thread while this lives.
pub struct Held(());

#[repr(C, align(64))]
struct Config([u8; 64]);

static CONFIG: Config = {
    let mut config = [0; 64];
    config[0] = 1;
    let mut tile = 0;
    while tile < 8 {
        config[16 + 2 * tile] = ROW_BYTES as u8;
        config[48 + tile] = ROWS as u8;
        tile += 1;
    }
    Config(config)
};

impl Held {
    /// Only where the tiles are [`lent`].
    pub fn new() -> Self {
        assert!(lent(), "tiles that are not there");
        // SAFETY: the tiles are there; the configuration is that of palette 1, which was seen to allow eight of that size.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIG, options(nostack, readonly)) };
        Self(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: the tiles are there, and this thread's to give back.
        unsafe { asm!("tilerelease", options(nomem, nostack)) };
    }
}

/// Whether the processor has tiles, the vector instructions that go with them here, and Linux lends the tiles.
pub fn lent() -> bool {
    static LENT: OnceLock<bool> = OnceLock::new();
    *LENT.get_or_init(|| {
        let has_vectors = level() == Level::Avx512 && is_x86_feature_detected!("avx512bf16");
        has_vectors && has_tiles() && lends_tiles()
    })
}

/// Whether the processor has tiles for bytes and for bf16, of the usual size, and the system saves them.
fn has_tiles() -> bool {
    const OSXSAVE: u32 = 1 << 27;
    const TILES_BYTES_BF16: u32 = 0b11 << 24 | 1 << 22;
    const SAVED: u64 = 0b11 << 17;
    let (most, tiles) = (__cpuid(0).eax, 0x1d);
    if most < tiles || __cpuid(1).ecx & OSXSAVE == 0 || __cpuid_count(7, 0).edx & TILES_BYTES_BF16 != TILES_BYTES_BF16 {
        return false;
    }
    // Palette 1: bytes of a tile, bytes of a row, names, rows.
    let palette = __cpuid_count(tiles, 1);
    let usual =
        palette.eax >> 16 >= 1024 && palette.ebx & 0xffff >= 64 && palette.ebx >> 16 >= 8 && palette.ecx & 0xffff >= 16;
    // SAFETY: OSXSAVE says that the instruction is there.
    usual && unsafe { saved() } & SAVED == SAVED
}

/// What the system saves of a thread when another one runs.
///
/// # Safety
/// The processor has OSXSAVE.
#[target_feature(enable = "xsave")]
unsafe fn saved() -> u64 {
    // SAFETY: as above.
    unsafe { _xgetbv(0) }
}

/// Asks Linux for the tiles, for all threads of the process. Older kernels and some sandboxes refuse.
fn lends_tiles() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: the call takes two numbers and changes nothing but what this process may do.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}
