//! The settings in `config.json` that only ModernBERT has.

use serde::Deserialize;
use serde_json::Value;

use crate::Pooling;

/// Settings that the file leaves out get the default of `transformers`.
#[derive(Clone, Debug, Deserialize)]
pub struct Modern {
    /// Up to transformers 4: every n-th layer, starting with the first, attends to all tokens.
    #[serde(default = "three")]
    global_attn_every_n_layers: usize,
    /// Since transformers 5: `full_attention` or `sliding_attention` for each layer.
    layer_types: Option<Vec<String>>,
    /// Up to transformers 4, like `local_rope_theta`.
    global_rope_theta: Option<f64>,
    local_rope_theta: Option<f64>,
    /// Since transformers 5: replaces the two settings above.
    rope_parameters: Option<RopeParameters>,
    rope_scaling: Option<Value>,
    /// Number of tokens, on both sides together, that a token of a local layer attends to.
    #[serde(default = "window")]
    local_attention: usize,
    #[serde(default)]
    pub norm_bias: bool,
    #[serde(default)]
    pub attention_bias: bool,
    #[serde(default)]
    pub mlp_bias: bool,
    #[serde(default)]
    pub classifier_bias: bool,
    #[serde(default = "cls")]
    classifier_pooling: String,
    #[serde(default = "gelu")]
    classifier_activation: String,
    #[serde(default = "gelu")]
    hidden_activation: String,
}

#[derive(Clone, Debug, Deserialize)]
struct RopeParameters {
    full_attention: Option<Rope>,
    sliding_attention: Option<Rope>,
}

#[derive(Clone, Debug, Deserialize)]
struct Rope {
    rope_theta: Option<f64>,
    rope_type: Option<String>,
}

const GLOBAL_THETA: f64 = 160_000.0;
const LOCAL_THETA: f64 = 10_000.0;
const FULL: &str = "full_attention";

fn three() -> usize {
    3
}

fn window() -> usize {
    128
}

fn cls() -> String {
    "cls".to_owned()
}

fn gelu() -> String {
    "gelu".to_owned()
}

/// A setting, its unsupported value, and what is supported instead.
pub type Refusal = (&'static str, String, &'static str);

impl Modern {
    /// The first unsupported setting, for a model of `layers` layers and heads of `head_dim` numbers.
    pub fn refusal(&self, layers: usize, head_dim: usize) -> Option<Refusal> {
        let gelus =
            [("hidden_activation", &self.hidden_activation), ("classifier_activation", &self.classifier_activation)];
        if let Some((setting, value)) = gelus.into_iter().find(|(_, value)| *value != "gelu") {
            return Some((setting, value.clone(), "`gelu` activations"));
        }
        if !["cls", "mean"].contains(&self.classifier_pooling.as_str()) {
            return Some(("classifier_pooling", self.classifier_pooling.clone(), "`cls` or `mean` pooling"));
        }
        if self.global_attn_every_n_layers == 0 {
            return Some(("global_attn_every_n_layers", "0".to_owned(), "1 or more"));
        }
        if let Some(types) = &self.layer_types {
            if types.len() != layers {
                return Some(("layer_types", format!("{} entries", types.len()), "one entry a layer"));
            }
            if let Some(odd) = types.iter().find(|t| ![FULL, "sliding_attention"].contains(&t.as_str())) {
                return Some(("layer_types", odd.clone(), "full and sliding attention"));
            }
        }
        if self.rope_scaling.as_ref().is_some_and(|value| !value.is_null()) {
            return Some(("rope_scaling", "not null".to_owned(), "plain rotary positions"));
        }
        let ropes = self.rope_parameters.iter().flat_map(|r| [&r.full_attention, &r.sliding_attention]).flatten();
        if let Some(odd) = ropes.filter_map(|rope| rope.rope_type.as_deref()).find(|t| *t != "default") {
            return Some(("rope_type", odd.to_owned(), "plain rotary positions"));
        }
        if !head_dim.is_multiple_of(2) {
            return Some(("num_attention_heads", format!("{head_dim} numbers a head"), "heads of even width"));
        }
        None
    }

    fn is_global(&self, layer: usize) -> bool {
        match &self.layer_types {
            Some(types) => types.get(layer).is_some_and(|t| t == FULL),
            None => layer.is_multiple_of(self.global_attn_every_n_layers),
        }
    }

    /// How many tokens to either side a token of this layer attends to; `None` means all.
    pub fn reach(&self, layer: usize) -> Option<usize> {
        (!self.is_global(layer)).then_some(self.local_attention / 2)
    }

    /// The base of the rotary positions of this layer.
    pub fn theta(&self, layer: usize) -> f64 {
        let newer = |pick: fn(&RopeParameters) -> &Option<Rope>| {
            self.rope_parameters.as_ref().and_then(|r| pick(r).as_ref()?.rope_theta)
        };
        if self.is_global(layer) {
            newer(|r| &r.full_attention).or(self.global_rope_theta).unwrap_or(GLOBAL_THETA)
        } else {
            newer(|r| &r.sliding_attention).or(self.local_rope_theta).unwrap_or(LOCAL_THETA)
        }
    }

    /// The pooling that `ModernBertForSequenceClassification` applies before its head.
    pub fn classifier_pooling(&self) -> Pooling {
        if self.classifier_pooling == "mean" { Pooling::Mean } else { Pooling::First }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn modern(config: Value) -> Modern {
        serde_json::from_value(config).expect("is a configuration")
    }

    #[test]
    fn the_older_and_the_newer_spelling_say_the_same() {
        let older =
            modern(json!({ "global_attn_every_n_layers": 3, "global_rope_theta": 8e4, "local_rope_theta": 5e3 }));
        let newer = modern(json!({
            "layer_types": ["full_attention", "sliding_attention", "sliding_attention", "full_attention"],
            "rope_parameters": {
                "full_attention": { "rope_theta": 8e4, "rope_type": "default" },
                "sliding_attention": { "rope_theta": 5e3, "rope_type": "default" },
            },
        }));
        for layer in 0..4 {
            assert_eq!(older.reach(layer), newer.reach(layer), "layer {layer}");
            assert_eq!(older.theta(layer), newer.theta(layer), "layer {layer}");
        }
        assert_eq!((older.reach(0), older.reach(1)), (None, Some(64)));
        assert_eq!((older.theta(3), older.theta(2)), (8e4, 5e3));
        assert!(older.refusal(4, 64).is_none() && newer.refusal(4, 64).is_none());
    }

    #[test]
    fn what_would_be_computed_wrongly_is_refused() {
        for (config, setting) in [
            (json!({ "hidden_activation": "silu" }), "hidden_activation"),
            (json!({ "classifier_activation": "relu" }), "classifier_activation"),
            (json!({ "classifier_pooling": "max" }), "classifier_pooling"),
            (json!({ "global_attn_every_n_layers": 0 }), "global_attn_every_n_layers"),
            (json!({ "layer_types": ["full_attention"] }), "layer_types"),
            (json!({ "layer_types": ["full_attention", "chunked_attention"] }), "layer_types"),
            (json!({ "rope_scaling": { "type": "yarn" } }), "rope_scaling"),
            (json!({ "rope_parameters": { "full_attention": { "rope_type": "yarn" } } }), "rope_type"),
        ] {
            let refused = modern(config.clone()).refusal(2, 64).map(|(setting, ..)| setting);
            assert_eq!(refused, Some(setting), "{config}");
        }
        assert!(modern(json!({})).refusal(2, 33).is_some(), "odd heads");
    }
}
