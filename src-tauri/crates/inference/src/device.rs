//! Where a model runs.

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

/// What it comes to.
pub enum Placement {
    /// The crate's own kernels.
    Cpu,
    /// Candle's kernels, in f16.
    Gpu { device: Device, name: &'static str },
}

impl DeviceChoice {
    /// Fails where a device was asked for by name and cannot be had; `Auto` always finds one.
    pub fn place(self) -> Result<Placement, LoadError> {
        let unavailable = |device, reason| LoadError::Device { device, reason };
        match self {
            Self::Cpu => Ok(Placement::Cpu),
            Self::Cuda => cuda().map_err(|reason| unavailable("CUDA", reason)),
            Self::Metal => metal().map_err(|reason| unavailable("Metal", reason)),
            Self::Auto => Ok(cuda()
                .or_else(|no_cuda| {
                    metal().map_err(|no_metal| tracing::info!(no_cuda, no_metal, "the model runs on the CPU"))
                })
                .unwrap_or(Placement::Cpu)),
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
