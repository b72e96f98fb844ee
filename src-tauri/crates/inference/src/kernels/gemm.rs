//! The kept library's matrix products. Its executors name the kernel of this machine but may not change threads, so
//! each thread has its own: they hold no data.

use rten_gemm::{GemmError, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_tensor::Matrix;

thread_local! {
    static F32: GemmExecutor<f32> = GemmExecutor::<f32>::new();
    static INT8: GemmExecutor<u8, i8, i32> = GemmExecutor::<u8, i8, i32>::new();
}

/// `b` is `inputs x outputs`.
pub fn pack_f32(b: Matrix<'_, f32>) -> PackedBMatrix<f32> {
    F32.with(|gemm| gemm.prepack_b(b))
}

/// `b` is `inputs x outputs`.
pub fn pack_i8(b: Matrix<'_, i8>) -> PackedBMatrix<i8> {
    INT8.with(|gemm| gemm.prepack_b(b))
}

/// Whether the 8-bit kernel of this machine loses what its 16-bit sums of pairs do not hold.
pub fn may_saturate() -> bool {
    INT8.with(GemmExecutor::may_saturate)
}

/// What the library calls the kernel that it has picked for this machine.
pub fn f32_kernel() -> String {
    F32.with(|gemm| gemm.kernel_name().to_owned())
}

pub fn int8_kernel() -> String {
    INT8.with(|gemm| gemm.kernel_name().to_owned())
}

/// `out = a b`, plus a bias if the options say so.
pub fn f32(
    out: &mut [f32],
    a: Matrix<'_, f32>,
    b: GemmInputB<'_, f32>,
    options: GemmOptions<'_, f32, f32, f32>,
) -> Result<(), GemmError> {
    F32.with(|gemm| gemm.gemm(out, GemmInputA::Unpacked(a), b, options))
}

/// `out = a b` in exact integers.
pub fn int8(out: &mut [i32], a: Matrix<'_, u8>, b: &PackedBMatrix<i8>) -> Result<(), GemmError> {
    INT8.with(|gemm| gemm.gemm(out, GemmInputA::Unpacked(a), GemmInputB::Packed(b), GemmOptions::default()))
}
