//! Where a model runs.

use std::fmt;

use candle_core::Device;
use serde::{Deserialize, Serialize};

use crate::LoadError;

/// What the user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// A GPU if this build and this machine have one, else the CPU.
    #[default]
    Auto,
    Cpu,
    Cuda,
    Metal,
}

/// The device that is used for a [`DeviceChoice`].
pub enum Placement {
    /// The crate's own kernels. For [`DeviceChoice::Auto`], `no_gpu` says why no GPU is used.
    Cpu { no_gpu: Option<String> },
    /// Candle's kernels, in f16.
    Gpu { device: Device, name: &'static str },
}

/// What a loaded model runs on. Displayed, e.g., as `cpu, int16 avx2; no GPU: this build is for the CPU`.
#[derive(Clone, Debug)]
pub struct Placed {
    /// `cpu`, `cuda` or `metal`.
    pub device: &'static str,
    /// Number format of the linear layers and the instructions that multiply them, e.g. `int16 avx2`.
    pub path: String,
    /// Why it does not run on a GPU, if [`DeviceChoice::Auto`] found none.
    pub no_gpu: Option<String>,
}

impl fmt::Display for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.device, self.path)?;
        self.no_gpu.as_ref().map_or(Ok(()), |why| write!(f, "; no GPU: {why}"))
    }
}

impl DeviceChoice {
    /// Fails if a device was asked for by name and is not available; `Auto` always finds one.
    pub fn place(self) -> Result<Placement, LoadError> {
        let unavailable = |device, reason| LoadError::Device { device, reason };
        match self {
            Self::Cpu => Ok(Placement::Cpu { no_gpu: None }),
            Self::Cuda => cuda().map_err(|reason| unavailable("CUDA", reason)),
            Self::Metal => metal().map_err(|reason| unavailable("Metal", reason)),
            Self::Auto => Ok(cuda().or_else(|no_cuda| metal().map_err(|no_metal| (no_cuda, no_metal))).unwrap_or_else(
                |(no_cuda, no_metal)| {
                    let has_neither = cfg!(not(any(feature = "cuda", feature = "metal")));
                    let no_gpu = if has_neither {
                        "this build is for the CPU".to_owned()
                    } else {
                        format!("CUDA: {no_cuda}; Metal: {no_metal}")
                    };
                    Placement::Cpu { no_gpu: Some(no_gpu) }
                },
            )),
        }
    }
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<Placement, String> {
    Device::new_cuda(0).map(|device| Placement::Gpu { device, name: "cuda" }).map_err(|e| e.to_string())
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<Placement, String> {
    Err("this build was made without the `cuda` feature".to_owned())
}

#[cfg(feature = "metal")]
fn metal() -> Result<Placement, String> {
    Device::new_metal(0).map(|device| Placement::Gpu { device, name: "metal" }).map_err(|e| e.to_string())
}

#[cfg(not(feature = "metal"))]
fn metal() -> Result<Placement, String> {
    Err("this build was made without the `metal` feature".to_owned())
}
