//! Just enough SVG for a chart: shapes, text and linear scales, on a white background of its own.

use std::fmt::Write;

pub(crate) const INK: &str = "#222222";
pub(crate) const FAINT: &str = "#dddddd";
pub(crate) const GREY: &str = "#666666";
pub(crate) const BLUE: &str = "#1f5fa8";
pub(crate) const ORANGE: &str = "#c4501b";
pub(crate) const GREEN: &str = "#2a7f45";

/// A drawing under way; sizes in pixels.
pub(crate) struct Svg {
    body: String,
    width: f64,
    height: f64,
}

#[derive(Clone, Copy)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    pub(crate) fn new(width: f64, height: f64, title: &str) -> Self {
        let mut svg = Self { body: String::new(), width, height };
        svg.element(format_args!("<title>{}</title>", escaped(title)));
        svg.element(format_args!("<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>"));
        svg
    }

    fn element(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.body, "{element}");
    }

    pub(crate) fn text(&mut self, [x, y]: [f64; 2], anchor: Anchor, size: f64, colour: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        self.element(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{}</text>",
            escaped(text)
        ));
    }

    /// Text that reads upwards, centred on a point.
    pub(crate) fn upright(&mut self, [x, y]: [f64; 2], colour: &str, text: &str) {
        self.element(format_args!(
            "<text transform=\"translate({x:.1} {y:.1}) rotate(-90)\" font-size=\"13\" text-anchor=\"middle\" fill=\"{colour}\">{}</text>",
            escaped(text)
        ));
    }

    /// `dash` as SVG's `stroke-dasharray`; empty for a line without gaps.
    pub(crate) fn line(&mut self, points: &[[f64; 2]], colour: &str, width: f64, dash: &str) {
        let points: Vec<String> = points.iter().map(|[x, y]| format!("{x:.1},{y:.1}")).collect();
        let points = points.join(" ");
        self.element(format_args!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" stroke-dasharray=\"{dash}\"/>"
        ));
    }

    /// A point with the tooltip `says`.
    pub(crate) fn point(&mut self, [x, y]: [f64; 2], radius: f64, colour: &str, says: &str) {
        self.element(format_args!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\" fill=\"{colour}\"><title>{}</title></circle>",
            escaped(says)
        ));
    }

    pub(crate) fn finish(self) -> String {
        let Self { body, width, height } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\">\n{body}</svg>\n"
        )
    }
}

/// Maps values to pixels linearly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) from: [f64; 2],
    pub(crate) to: [f64; 2],
}

impl Scale {
    pub(crate) fn at(self, value: f64) -> f64 {
        let [low, high] = self.from;
        let share = if high > low { (value - low) / (high - low) } else { 0.5 };
        self.to[0] + share * (self.to[1] - self.to[0])
    }
}

/// Two to eight round values, the first no higher than `low` and the last no lower than `high`.
pub(crate) fn ticks(low: f64, high: f64) -> Vec<f64> {
    let span = (high - low).max(1e-6 + high.abs() * 1e-3);
    let magnitude = 10_f64.powf((span / 5.0).log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|n| n * magnitude).into_iter().find(|step| span / step <= 5.0);
    let step = step.unwrap_or(10.0 * magnitude);
    let (first, last) = ((low / step + 1e-9).floor() as i64, (high / step - 1e-9).ceil() as i64);
    (first..=last.max(first + 1)).map(|i| i as f64 * step).collect()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML cannot represent most control characters.
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_hold_the_range() {
        for (low, high) in [(0.0, 640.0), (0.412, 0.437), (0.5, 0.5), (0.0, 0.0), (0.0, 1.0), (0.29, 0.93)] {
            let found = ticks(low, high);
            assert!(found[0] <= low + 1e-9 && *found.last().unwrap() >= high - 1e-9, "{low}..{high}: {found:?}");
            assert!((2..=8).contains(&found.len()), "{low}..{high}: {found:?}");
        }
        assert_eq!(ticks(0.0, 640.0), [0.0, 200.0, 400.0, 600.0, 800.0]);
    }

    #[test]
    fn text_cannot_break_the_drawing() {
        let mut svg = Svg::new(10.0, 10.0, "a<b>&\"c\"\u{1}");
        svg.text([0.0, 0.0], Anchor::Start, 12.0, INK, "</text>");
        let drawn = svg.finish();
        assert!(
            drawn.contains("<title>a&lt;b&gt;&amp;&quot;c&quot; </title>") && drawn.contains(">&lt;/text&gt;</text>")
        );
    }
}
