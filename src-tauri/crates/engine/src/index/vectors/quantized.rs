//! A row as it is stored: a direction, with one signed byte for each dimension.

/// An embedding as it is stored: int8 codes of a unit vector.
///
/// Only the direction is kept. The largest component of a row is always coded as ±127, and the length is computed from
/// the codes, so there is no scale to store. Quantising a dequantised row gives the same bytes again, so a row can be
/// carried over from one index to the next without ever drifting.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Quantized {
    codes: Box<[u8]>,
}

impl Quantized {
    /// Quantises `vector`, of any length but zero; only its direction counts.
    ///
    /// A vector without a direction (all zeros, or with an infinite component) gives the zero row, whose cosine
    /// with anything is 0. A NaN component counts as 0.
    pub fn from_f32(vector: &[f32]) -> Self {
        let largest = vector.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        let codes = if largest > 0.0 && largest.is_finite() {
            vector.iter().map(|x| (x / largest * 127.0).round() as i8 as u8).collect()
        } else {
            vec![0; vector.len()].into()
        };
        Self { codes }
    }

    /// The row as a unit vector, or zeros for the zero row.
    pub fn to_f32(&self) -> Vec<f32> {
        unit(&self.codes).collect()
    }

    /// The payload for the vector field: one byte a dimension, two's complement.
    pub fn as_bytes(&self) -> &[u8] {
        &self.codes
    }

    /// A row from its payload. Any bytes make a row; the writer of the column checks their number.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self { codes: bytes.into() }
    }

    pub fn dims(&self) -> usize {
        self.codes.len()
    }
}

/// The components of a row of codes, scaled to unit length.
pub(super) fn unit(codes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    let scale = inverse_length(super::kernels::squared_length(codes));
    codes.iter().map(move |&code| f32::from(code as i8) * scale)
}

/// 1 / |codes| from |codes|², and 0 for the zero row, so that its cosines are 0 and not NaN.
pub(super) fn inverse_length(squared_length: i32) -> f32 {
    if squared_length == 0 { 0.0 } else { 1.0 / (squared_length as f32).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(seed: usize, dims: usize) -> Vec<f32> {
        (0..dims).map(|i| ((i * 37 + seed * 101) as f32 * 0.7).sin() + 0.8).collect()
    }

    #[test]
    fn quantising_twice_gives_the_same_bytes() {
        for seed in 0..500 {
            let once = Quantized::from_f32(&wave(seed, 1 + seed % 97));
            assert_eq!(Quantized::from_f32(&once.to_f32()), once);
            assert_eq!(Quantized::from_bytes(once.as_bytes()), once);
        }
    }

    #[test]
    fn only_the_direction_counts() {
        let row = wave(3, 64);
        let doubled: Vec<f32> = row.iter().map(|x| x * 2.0).collect();
        assert_eq!(Quantized::from_f32(&doubled), Quantized::from_f32(&row));
        let length: f32 = Quantized::from_f32(&row).to_f32().iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }

    #[test]
    fn a_row_without_a_direction_is_zero() {
        for row in [[0.0, 0.0], [f32::INFINITY, 1.0], [f32::NAN, 0.0]] {
            let quantized = Quantized::from_f32(&row);
            assert_eq!(quantized.as_bytes(), [0, 0], "{row:?}");
            assert_eq!(quantized.to_f32(), [0.0, 0.0]);
        }
        assert_eq!(Quantized::from_f32(&[f32::NAN, -2.0]).as_bytes(), [0, (-127_i8) as u8]);
        assert_eq!(Quantized::from_f32(&[f32::MIN_POSITIVE, 0.0]).as_bytes(), [127, 0]);
    }
}
