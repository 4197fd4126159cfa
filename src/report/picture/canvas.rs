//! A picture of pixels that `plotters` draws on: dots with a share of a colour, text in a font of our own, and the file.
//!
//! It is drawn twice as large as it is shown and made smaller at the end, so that slanted lines are smooth. The file is PNG by the
//! book (ISO/IEC 15948): rows without a filter, compressed in one piece.

use std::convert::Infallible;
use std::io::{self, Write};

use ab_glyph::{Font, FontRef, PxScale, PxScaleFont, ScaleFont, point};
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};

/// `DejaVu` Sans, Latin, Greek and Cyrillic; its licence lies next to it.
const FONT: &[u8] = include_bytes!("DejaVuSans.ttf");
/// So many dots in a row, and in a column, become one.
pub(super) const SCALE: u32 = 2;

/// The font, for measuring and drawing.
#[derive(Clone)]
pub(super) struct Letters(FontRef<'static>);

impl Letters {
    /// `None` if the font in this program is none, which a test rules out.
    pub(super) fn new() -> Option<Letters> {
        FontRef::try_from_slice(FONT).ok().map(Letters)
    }

    /// At a size as `plotters` means it, which is 1.24 times that of the letter m.
    fn scaled(&self, size: f64) -> PxScaleFont<&FontRef<'static>> {
        let em = (size / 1.24) as f32;
        let units = self.0.units_per_em().unwrap_or(1000.0);
        self.0
            .as_scaled(PxScale::from(em * self.0.height_unscaled() / units))
    }

    /// How wide a text is in dots.
    pub(super) fn width(&self, text: &str, size: f64) -> f64 {
        let font = self.scaled(size);
        let each = text.chars().map(|c| font.h_advance(font.glyph_id(c)));
        f64::from(each.sum::<f32>())
    }

    fn height(&self, size: f64) -> f64 {
        f64::from(self.scaled(size).height())
    }
}

/// Dots in rows, three bytes each.
pub(super) struct Canvas<'a> {
    pub(super) size: (u32, u32),
    pub(super) dots: &'a mut [u8],
    pub(super) letters: Letters,
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

impl Canvas<'_> {
    /// Lays a share of a colour over a dot; what is outside is not drawn.
    fn lay(&mut self, x: i32, y: i32, colour: (u8, u8, u8), share: f64) {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else {
            return;
        };
        if x >= self.size.0 || y >= self.size.1 {
            return;
        }
        let place = (y as usize * self.size.0 as usize + x as usize) * 3;
        let Some(dot) = self.dots.get_mut(place..place + 3) else {
            return;
        };
        for (old, new) in dot.iter_mut().zip([colour.0, colour.1, colour.2]) {
            let mixed = f64::from(*old) + (f64::from(new) - f64::from(*old)) * share.clamp(0.0, 1.0);
            *old = mixed.round() as u8;
        }
    }
}

impl DrawingBackend for Canvas<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        self.lay(x, y, color.rgb, color.alpha);
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Drawn {
        let letters = self.letters.clone();
        let font = letters.scaled(style.size());
        let (width, height) = (letters.width(text, style.size()), letters.height(style.size()));
        let left = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => width / 2.0,
            HPos::Right => width,
        };
        let up = match style.anchor().v_pos {
            VPos::Top => 0.0,
            VPos::Center => height / 2.0,
            VPos::Bottom => height,
        };
        let (mut caret, base) = (
            (f64::from(x) - left) as f32,
            (f64::from(y) - up) as f32 + font.ascent(),
        );
        let color = style.color();
        for c in text.chars() {
            let id = font.glyph_id(c);
            let glyph = id.with_scale_and_position(font.scale(), point(caret, base));
            caret += font.h_advance(id);
            let Some(outline) = font.outline_glyph(glyph) else {
                continue;
            };
            let bounds = outline.px_bounds();
            let (from, top) = (bounds.min.x as i32, bounds.min.y as i32);
            outline.draw(|dx, dy, share| {
                let (x, y) = (
                    from.saturating_add(dx.cast_signed()),
                    top.saturating_add(dy.cast_signed()),
                );
                self.lay(x, y, color.rgb, color.alpha * f64::from(share));
            });
        }
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let (width, height) = (
            self.letters.width(text, style.size()),
            self.letters.height(style.size()),
        );
        Ok((width.ceil() as u32, height.ceil() as u32))
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (left, top): BackendCoord,
        (right, bottom): BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let color = style.color();
        if !fill {
            let corners = [
                (left, top),
                (right, top),
                (right, bottom),
                (left, bottom),
                (left, top),
            ];
            return self.draw_path(corners, style);
        }
        for y in top.max(0)..bottom.min(self.size.1.cast_signed()) {
            for x in left.max(0)..right.min(self.size.0.cast_signed()) {
                self.lay(x, y, color.rgb, color.alpha);
            }
        }
        Ok(())
    }
}

/// The picture as a file, [`SCALE`] times smaller.
pub(super) fn png((width, height): (u32, u32), dots: &[u8]) -> io::Result<Vec<u8>> {
    let (small, rows) = (width / SCALE, height / SCALE);
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    for y in 0..rows {
        // Each row begins with its filter: none.
        let mut row = vec![0_u8];
        for x in 0..small {
            for colour in 0..3 {
                let mut sum = 0_u32;
                for (dx, dy) in (0..SCALE * SCALE).map(|at| (at % SCALE, at / SCALE)) {
                    let place = (y * SCALE + dy) as usize * width as usize + (x * SCALE + dx) as usize;
                    sum += u32::from(dots.get(place * 3 + colour).copied().unwrap_or(255));
                }
                row.push((sum / (SCALE * SCALE)) as u8);
            }
        }
        packed.write_all(&row)?;
    }
    let packed = packed.finish()?;
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::new();
    header.extend(small.to_be_bytes());
    header.extend(rows.to_be_bytes());
    // Eight bits a colour, three colours, and the only ways of packing, filtering and ordering that need no more words.
    header.extend([8, 2, 0, 0, 0]);
    for (name, content) in [(b"IHDR", header), (b"IDAT", packed), (b"IEND", Vec::new())] {
        let length = u32::try_from(content.len()).map_err(io::Error::other)?;
        file.extend(length.to_be_bytes());
        let mut sum = Crc::new();
        sum.update(name);
        sum.update(&content);
        file.extend(name);
        file.extend(content);
        file.extend(sum.sum().to_be_bytes());
    }
    Ok(file)
}
