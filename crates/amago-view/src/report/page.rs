//! The frame of the page.

use crate::base64::base64;
use crate::svg::escape;

const STYLE: &str = "
:root{color-scheme:light}
body{font:15px/1.45 system-ui,sans-serif;color:#1c1e24;background:#fff}
body{max-width:1040px;margin:0 auto;padding:24px}
h1{font-size:26px;margin:0 0 4px}
h2{font-size:19px;margin:36px 0 10px;border-bottom:1px solid #ddd;padding-bottom:4px}
.n{color:#666;font-size:13px;max-width:75ch}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(310px,1fr));gap:14px}
.wide{grid-column:1/-1}
figure{margin:0}figcaption{font-size:13px;color:#444}
svg{width:100%;height:auto;display:block}
svg text{font:11px system-ui,sans-serif;fill:#555}svg .t{font-size:12.5px;font-weight:600;fill:#222}
svg .y{text-anchor:end}svg .x{text-anchor:middle}
svg .g{stroke:#e8e8ea;fill:none}svg .m{stroke:#aaa;stroke-dasharray:3 3;fill:none}
svg .c{fill:none;stroke-width:1.8;stroke-linejoin:round}svg .w{stroke:#222;fill:none}
img.p{image-rendering:pixelated;width:100%;max-width:300px;border:1px solid #ddd}
img.f{max-width:100%;border-radius:6px}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:13px}
th,td{padding:4px 10px;text-align:left;border-bottom:1px solid #eee;white-space:nowrap}th{color:#555}
pre{background:#f6f7f9;padding:10px;border-radius:6px;overflow-x:auto;font-size:12.5px}
summary{cursor:pointer}
";

/// The whole page.
pub(super) fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><h1>{title}</h1>\
         <p class=\"n\">In-context reinforcement learning with amago: the weights stay as they are while the \
         policy plays; what improves from attempt to attempt comes from its memory alone.</p>\
         {body}</body></html>\n"
    )
}

/// A headed section; nothing where it has no parts.
pub(super) fn section(title: &str, parts: &[String]) -> String {
    if parts.iter().all(String::is_empty) {
        return String::new();
    }
    format!("<section><h2>{}</h2>{}</section>\n", escape(title), parts.concat())
}

/// Figures beside each other.
pub(super) fn grid(figures: &[String]) -> String {
    if figures.is_empty() {
        return String::new();
    }
    format!("<div class=\"grid\">{}</div>", figures.concat())
}

/// A figure with its caption.
pub(super) fn figure(content: &str, caption: &str) -> String {
    format!("<figure>{content}<figcaption>{}</figcaption></figure>", escape(caption))
}

/// A GIF inside the page: `class` is `f` for a film and `p` for pixels that are enlarged.
pub(super) fn image(gif: &[u8], class: &str, alt: &str) -> String {
    format!("<img class=\"{class}\" alt=\"{}\" src=\"data:image/gif;base64,{}\">", escape(alt), base64(gif))
}

/// A table; its cells are text.
pub(super) fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let head: String = head.iter().map(|cell| format!("<th>{}</th>", escape(cell))).collect();
    let row = |cells: Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
        format!("<tr>{cells}</tr>")
    };
    let rows: String = rows.into_iter().map(row).collect();
    format!("<div class=\"scroll\"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>")
}
