//! The static files that pages load: embedded in the program, with a digest of their content in the
//! name, so that browsers may keep them for a year.

use std::{fmt::Write as _, io::Write as _, sync::LazyLock};

use axum::{
    extract::Path,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256};

/// A static file that pages load.
pub struct Asset {
    name: &'static str,
    mime: &'static str,
    bytes: &'static [u8],
}

/// A static file prepared for serving.
struct Served {
    asset: &'static Asset,
    /// The file's name in the address: a digest of its content, then its own name.
    file: String,
    gzip: Vec<u8>,
}

/// The files, in the order in which pages load them.
static ASSETS: [Asset; 5] = [
    Asset {
        name: "console.css",
        mime: "text/css; charset=utf-8",
        bytes: include_bytes!("../assets/console.css"),
    },
    Asset {
        name: "htmx.js",
        mime: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../assets/htmx.min.js"),
    },
    Asset {
        name: "hx-sse.js",
        mime: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../assets/hx-sse.min.js"),
    },
    Asset {
        name: "console.js",
        mime: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../assets/console.js"),
    },
    Asset {
        name: "icon.svg",
        mime: "image/svg+xml",
        bytes: include_bytes!("../assets/icon.svg"),
    },
];

static SERVED: LazyLock<Vec<Served>> = LazyLock::new(|| ASSETS.iter().map(served).collect());

fn served(asset: &'static Asset) -> Served {
    let mut digest = String::new();
    for byte in &Sha256::digest(asset.bytes)[..6] {
        // Writing to a String does not fail.
        let _ = write!(digest, "{byte:02x}");
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to a Vec does not fail either.
    let _ = encoder.write_all(asset.bytes);
    Served {
        asset,
        file: format!("{digest}-{}", asset.name),
        gzip: encoder.finish().unwrap_or_default(),
    }
}

/// Returns the path of the file with this name. The path is `/assets/` where there is no such file.
pub fn path(name: &str) -> String {
    let found = SERVED.iter().find(|served| served.asset.name == name);
    let file = found.map_or("", |served| served.file.as_str());
    format!("/assets/{file}")
}

/// Serves a static file, compressed where the browser accepts gzip.
pub async fn serve(Path(file): Path<String>, headers: HeaderMap) -> Response {
    let Some(found) = SERVED.iter().find(|served| served.file == file) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let accepted = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|accepted| accepted.to_str().ok())
        .unwrap_or_default();
    let kept = [
        (header::CONTENT_TYPE, found.asset.mime),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::VARY, "accept-encoding"),
    ];
    match accepted.contains("gzip") {
        true => (
            kept,
            [(header::CONTENT_ENCODING, "gzip")],
            found.gzip.as_slice(),
        )
            .into_response(),
        false => (kept, found.asset.bytes).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The limit on the compressed size of all files together, in bytes.
    const BYTES_MAX: usize = 60 * 1024;

    #[test]
    fn all_files_together_are_small() {
        let sizes = SERVED
            .iter()
            .map(|served| (served.asset.name, served.gzip.len()));
        let sizes: Vec<_> = sizes.collect();
        assert!(sizes.iter().all(|(_, bytes)| *bytes > 100), "{sizes:?}");
        let all: usize = sizes.iter().map(|(_, bytes)| bytes).sum();
        println!("{all} bytes: {sizes:?}");
        assert!(all <= BYTES_MAX, "{all} bytes: {sizes:?}");
    }

    #[test]
    fn a_file_is_named_by_its_content() {
        assert!(path("console.css").ends_with("-console.css"));
        assert_ne!(path("console.css"), path("console.js"));
    }
}
