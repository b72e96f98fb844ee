//! The encoders in Candle's operations, for GPUs. The texts of a batch are padded to the longest of them.

mod bert;
mod modern;
mod parts;

use candle_core::{DType, Device, Result};

use crate::batch::Batch;
use crate::config::{Config, Family};
use crate::weights::Weights;
use crate::{LoadError, Pooling};

pub enum TensorEncoder {
    Bert(bert::Bert),
    ModernBert(modern::ModernBert),
}

/// A failure of the file, or of the device.
pub enum TensorLoadError {
    File(LoadError),
    Device(candle_core::Error),
}

impl From<LoadError> for TensorLoadError {
    fn from(e: LoadError) -> Self {
        Self::File(e)
    }
}

impl From<candle_core::Error> for TensorLoadError {
    fn from(e: candle_core::Error) -> Self {
        Self::Device(e)
    }
}

impl TensorEncoder {
    /// `dtype` is f16 on a GPU; f32 on Candle's CPU device gives the numbers the CPU's own kernels are tested against.
    pub fn load(
        weights: &Weights<'_>,
        config: &Config,
        pooling: Pooling,
        device: &Device,
        dtype: DType,
        window: usize,
    ) -> std::result::Result<Self, TensorLoadError> {
        let loader = parts::Loader { weights, config, device, dtype };
        Ok(match config.family() {
            Family::Bert | Family::XlmRoberta => Self::Bert(bert::Bert::load(&loader, pooling)?),
            Family::ModernBert => Self::ModernBert(modern::ModernBert::load(&loader, pooling, window)?),
        })
    }

    /// As [`crate::encoder::Encoder::pooled`].
    pub fn pooled(&self, batch: &Batch) -> Result<Vec<f32>> {
        match self {
            Self::Bert(encoder) => encoder.pooled(batch),
            Self::ModernBert(encoder) => encoder.pooled(batch),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::encoder::{Encoder, Workspace};
    use crate::tokenize::Tokenizer;
    use crate::weights::WeightFiles;
    use crate::{Precision, batch};

    /// The two implementations share only the names of the weights, so if they agree on a batch of texts of different
    /// lengths, both should be right. The tests in `tests/` compare one of them with stored numbers.
    #[test]
    fn candle_and_our_kernels_agree() {
        for (model, pooling) in [
            ("bert-bi", Pooling::Mean),
            ("xlmr-bi", Pooling::Mean),
            ("bert-cross", Pooling::First),
            ("xlmr-cross", Pooling::First),
            ("modernbert-cross", Pooling::Mean),
            ("modernbert-cross", Pooling::First),
            ("ettin-cross", Pooling::First),
        ] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../models/tiny").join(model);
            let config = Config::read(&folder).expect("reads");
            let files = WeightFiles::read(&folder).expect("reads");
            let (weights, window) = (files.parse().expect("parses"), config.window());
            let tokenizer = Tokenizer::load(&folder, config.vocab_size, window, false).expect("loads");
            let texts = ["undo", "use git reset to undo the last commit and keep your changes", "面包", "a b c d"];
            let tokens: Vec<_> = texts.iter().map(|t| tokenizer.text(t, None).expect("tokenizes")).collect();
            let batches = batch::cut(&tokens, 1000);
            let ours = Encoder::load(&weights, &config, pooling, Precision::F32, window).expect("loads");
            let ours = ours.pooled(&batches[0], &mut Workspace::new(Precision::F32)).expect("computes");
            let Ok(theirs) = TensorEncoder::load(&weights, &config, pooling, &Device::Cpu, DType::F32, window) else {
                panic!("{model} does not load");
            };
            let theirs = theirs.pooled(&batches[0]).expect("computes");
            assert_eq!(ours.len(), theirs.len());
            for (a, b) in ours.iter().zip(&theirs) {
                assert!((a - b).abs() < 1e-4, "{model}: {a} against {b}");
            }
        }
    }
}
