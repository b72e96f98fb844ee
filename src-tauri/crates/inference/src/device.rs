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
    /// The crate's own kernels. Where a GPU was welcome, why there is none.
    Cpu { no_gpu: Option<String> },
    /// Candle's kernels, in f16.
    Gpu { device: Device, name: &'static str },
}

impl DeviceChoice {
    /// Fails where a device was asked for by name and cannot be had; `Auto` always finds one.
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
