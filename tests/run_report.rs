//! `loadgen report`, end to end: the page in a headless Chromium, at the width of a phone and of a desk, light and dark, on the
//! screen and on paper.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod run_support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use run_support::{Scripted, run};
use serde_json::Value;

/// Names that would be elements, attributes and scripts if they were not text.
const SCRIPT: &str = r#"
    import http from 'k6/http';
    import { check, group } from 'k6';
    export const options = { scenarios: { ramp: { executor: 'ramping-vus', startVUs: 1, stages: [{ target: 8, duration: '5s' }] } },
      thresholds: { 'http_req_duration{name:"><script>window.broken=1</script>}': [{ threshold: 'p(95)<10000', onEmpty: 'pass' }] } };
    export default function () {
      group('<svg onload="window.broken=1">', () => {
        const answer = http.get(`${__ENV.BASE_URL}/health`, { tags: { name: '<img src=x onerror="window.broken=1">' } });
        check(answer, { '</td><script>window.broken=1</script>': (r) => r.status === 200, "it's & <b>bold</b>": () => true });
      });
      http.get(`${__ENV.BASE_URL}/health`, { tags: { name: 'a-name-that-is-very-long-'.repeat(8) } });
    }"#;

/// Looks at a page in a frame of a width, and writes down what it sees. PAPER is whether rules for printing count.
const LOOK: &str = r##"<!DOCTYPE html><meta charset="utf-8"><link rel="icon" href="data:,"><title>look</title>
<body style="margin:0"><iframe src="/report.html" style="border:0;width:WIDTHpx;height:2400px"></iframe><script id="seen" type="application/json"></script>
<script>
document.querySelector('iframe').addEventListener('load', (event) => {
  const frame = event.target, page = frame.contentDocument, root = page.documentElement;
  const shown = (element) => element.getClientRects().length > 0;
  // What is meant for paper alone becomes what holds here, and the other way round.
  if (PAPER) for (const rule of page.styleSheets[0].cssRules) {
    if (rule.media?.mediaText === 'print') rule.media.mediaText = 'all';
    else if (rule.media?.mediaText.startsWith('screen')) rule.media.mediaText = 'not all';
  }
  const light = (colour) => {
    const [r, g, b] = colour.match(/[0-9.]+/g).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  // WCAG 2: the contrast of two colours.
  const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const style = (element) => frame.contentWindow.getComputedStyle(element);
  const back = style(page.body).backgroundColor;
  const least = (elements, of) => Math.min(...[...elements].filter(shown).map((element) => contrast(style(element)[of], back)));
  const charts = [...page.querySelectorAll('svg')].filter(shown);
  document.getElementById('seen').textContent = JSON.stringify({
    over: Math.max(root.scrollWidth, page.body.scrollWidth) - frame.clientWidth,
    charts: charts.length,
    lines: charts.map((chart) => chart.querySelectorAll('polyline[stroke^="#0000A"]').length),
    labelled: charts.every((chart) => chart.getAttribute('role') === 'img' && chart.getAttribute('aria-label').length > 20),
    coloured: charts.every((chart) => getComputedStyle(chart.querySelector('polyline[stroke="#0000A1"]')).stroke !== 'rgb(0, 0, 161)'),
    back: light(back),
    contrast: {
      text: least(page.querySelectorAll('h1, h2, p, li, td, th, figcaption, summary'), 'color'),
      labels: least(page.querySelectorAll('svg text'), 'fill'),
      lines: least(page.querySelectorAll('svg polyline[stroke^="#0000A"]'), 'stroke'),
    },
    opened: [...page.querySelectorAll('details')].filter(shown).length,
    kept: style(page.querySelector('.swatch')).printColorAdjust,
    unbroken: charts.every((chart) => style(chart.closest('figure')).breakInside === 'avoid'),
    tables: page.querySelectorAll('figure details table').length,
    requests: frame.contentWindow.performance.getEntriesByType('resource').map((entry) => entry.name),
    scripts: page.querySelectorAll('script, img, iframe, b, [onload], [onerror]').length,
    broken: frame.contentWindow.broken ?? null,
    text: page.body.innerText,
  }).replaceAll('<', '\\u003c');
});
</script>"##;

/// Serves pages by their path, and remembers what was asked for.
fn serve(pages: Vec<(&'static str, String)>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(count) if count > 0 => head.extend_from_slice(&buffer[..count]),
                    _ => break,
                }
            }
            let text = String::from_utf8_lossy(&head).into_owned();
            let Some(path) = text.split_whitespace().nth(1).map(str::to_owned) else {
                continue;
            };
            let page = pages.iter().find(|(known, _)| *known == path);
            let (status, body) = page.map_or(("404 Not Found", ""), |(_, body)| ("200 OK", body.as_str()));
            seen.lock().unwrap().push(path);
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    (address, asked)
}

/// Chromium with this page: what it says of the console, and what it prints.
fn chromium(folder: &Path, arguments: &[&str], url: &str) -> (Vec<String>, String) {
    let profile = tempfile::tempdir_in(folder).unwrap();
    let output = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
        ])
        .args([
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            "--enable-logging=stderr",
            "--log-level=0",
        ])
        .args(["--virtual-time-budget=20000", "--timeout=60000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(arguments)
        .arg(url)
        .stdin(Stdio::null())
        .output()
        .expect("chromium is needed: apt-get install chromium");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let console = told
        .lines()
        .filter(|line| line.contains("CONSOLE"))
        .map(str::to_owned);
    (
        console.collect(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

/// What the page that looks has written down.
fn seen(dom: &str) -> Value {
    let start = dom.find("<script id=\"seen\"").expect(dom);
    let rest = &dom[start..];
    let (from, to) = (rest.find('>').unwrap() + 1, rest.find("</script>").unwrap());
    serde_json::from_str(&rest[from..to]).unwrap_or_else(|error| panic!("{error}: {}", &rest[..to]))
}

/// Has Chromium prefer dark pages.
const DARK: &str = "--blink-settings=preferredColorScheme=0";

/// Where pictures are kept after the test; a CI job uploads them from there.
fn kept(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    std::fs::create_dir_all(&target).unwrap();
    target.join(name)
}

/// The page of a run of that script, as text, and the folder that it lies in.
fn page() -> (Scripted, String) {
    let scripted = Scripted::new(SCRIPT);
    let (file, page) = (scripted.file("run.json.gz"), scripted.file("report.html"));
    let demo = [
        "run",
        "--metrics-addr",
        "off",
        "--demo",
        "--save",
        &file,
        "--report",
        &page,
        scripted.path(),
    ];
    run(&demo).expect(0);
    let text = scripted.read("report.html");
    (scripted, text)
}

/// How many charts a page has: five, and one more where the machine tells what waits.
fn charts(page: &str) -> usize {
    for id in ["latency", "throughput", "load", "errors", "target"] {
        let figure = format!("<figure class=\"chart\" id=\"{id}\"");
        assert!(page.contains(&figure), "{id}");
    }
    page.matches("<figure class=\"chart\"").count()
}

/// The page that looks, at a width, as if on paper or not.
fn look(width: u32, paper: bool) -> String {
    LOOK.replace("WIDTH", &width.to_string())
        .replace("PAPER", &paper.to_string())
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// What can be read is far enough from what is behind it: 4.5 for text and 3 for lines, says WCAG 2.
fn is_readable(seen: &Value) {
    let of = |part: &str| seen["contrast"][part].as_f64().unwrap();
    assert!(
        of("text") >= 4.5 && of("labels") >= 4.5 && of("lines") >= 3.0,
        "{}",
        seen["contrast"]
    );
}

#[test]
fn the_page_is_whole_at_every_width_and_asks_for_nothing() {
    let (scripted, direct) = page();
    let (file, again) = (scripted.file("run.json.gz"), scripted.file("again.html"));
    run(&["report", &file, "-o", &again]).expect(0);
    assert_eq!(
        scripted.read("again.html"),
        direct,
        "a file says what its run said"
    );
    for part in ["http://", "https://", "url(", "@import", "<script", "src="] {
        let found = direct.find(part);
        let around = found.map(|at| &direct[at.saturating_sub(80)..(at + 80).min(direct.len())]);
        // The namespace of SVG is a name, and the demo target's address is one of the variables.
        let left = direct
            .replace("xmlns=\"http://www.w3.org/2000/svg\"", "")
            .replace("http://127.0.0.1", "");
        let left = left.replace("&lt;script", "").replace("&lt;img src=", "");
        assert!(!left.contains(part), "{part}: {around:?}");
    }

    let charts = charts(&direct);
    let loud = "<!DOCTYPE html><link rel=\"icon\" href=\"data:,\"><script>console.error('told'); missing.thing();</script>";
    let (address, asked) = serve(vec![
        ("/report.html", direct.clone()),
        ("/360", look(360, false)),
        ("/1280", look(1280, false)),
        ("/loud", loud.to_owned()),
    ]);
    // What is looked for would be found.
    let (console, _) = chromium(folder(), &["--dump-dom"], &format!("http://{address}/loud"));
    assert!(console.len() >= 2 && console[0].contains("told"), "{console:?}");
    for width in [360, 1280] {
        let url = format!("http://{address}/{width}");
        let (console, dom) = chromium(folder(), &["--dump-dom", "--window-size=1400,2500"], &url);
        assert!(console.is_empty(), "{console:?}");
        let seen = seen(&dom);
        assert!(seen["over"].as_i64().unwrap() <= 0, "{width}: {seen}");
        assert_eq!(seen["charts"], charts, "{width}: {seen}");
        assert!(
            seen["lines"]
                .as_array()
                .unwrap()
                .iter()
                .all(|lines| lines.as_u64() >= Some(1)),
            "{seen}"
        );
        assert_eq!(
            (&seen["labelled"], &seen["coloured"]),
            (&Value::Bool(true), &Value::Bool(true)),
            "{seen}"
        );
        assert_eq!(seen["tables"], charts);
        assert_eq!(seen["requests"], serde_json::json!([]), "external requests");
        assert_eq!(
            (&seen["scripts"], &seen["broken"]),
            (&serde_json::json!(0), &Value::Null),
            "{seen}"
        );
        is_readable(&seen);
        assert!(seen["back"].as_f64().unwrap() > 0.9, "light: {seen}");
        let text = seen["text"].as_str().unwrap();
        for part in [
            "Findings",
            "Timeline",
            "Latency distribution",
            "Endpoints",
            "Checks",
            "Thresholds",
            "<script>window.broken=1</script>",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let picture = kept(&format!("report-{width}.png"));
        let shot = format!("--screenshot={}", picture.display());
        chromium(folder(), &[&shot, "--window-size=1400,2500"], &url);
        assert!(std::fs::metadata(&picture).unwrap().len() > 10_000);
    }
    let asked = asked.lock().unwrap();
    let known = ["/360", "/1280", "/report.html", "/loud"];
    assert!(
        asked.iter().all(|path| known.contains(&path.as_str())),
        "{asked:?}"
    );
}

#[test]
fn in_the_dark_it_is_dark_and_readable() {
    let (_scripted, direct) = page();
    let (address, _) = serve(vec![
        ("/report.html", direct.clone()),
        ("/dark", look(1280, false)),
    ]);
    let url = format!("http://{address}/dark");
    let window = "--window-size=1400,2500";
    let (console, dom) = chromium(folder(), &[DARK, "--dump-dom", window], &url);
    assert!(console.is_empty(), "{console:?}");
    let seen = seen(&dom);
    assert!(seen["back"].as_f64().unwrap() < 0.05, "it is not dark: {seen}");
    is_readable(&seen);
    assert_eq!(
        (&seen["charts"], &seen["over"]),
        (&charts(&direct).into(), &0.into()),
        "{seen}"
    );
    let picture = kept("report-dark.png");
    let shot = format!("--screenshot={}", picture.display());
    chromium(folder(), &[DARK, &shot, window], &url);
    assert!(std::fs::metadata(&picture).unwrap().len() > 10_000);
}

#[test]
fn on_paper_it_is_light_and_nothing_is_cut() {
    let (_scripted, direct) = page();
    // A sheet of A4 between usual margins.
    let (address, _) = serve(vec![
        ("/report.html", direct.clone()),
        ("/paper", look(718, true)),
    ]);
    for dark in [false, true] {
        let scheme = if dark { DARK } else { "--hide-scrollbars" };
        let arguments = [scheme, "--dump-dom", "--window-size=1400,2500"];
        let (_, dom) = chromium(folder(), &arguments, &format!("http://{address}/paper"));
        let seen = seen(&dom);
        assert!(seen["over"].as_i64().unwrap() <= 0, "{seen}");
        assert!(seen["back"].as_f64().unwrap() > 0.9, "paper is white: {seen}");
        is_readable(&seen);
        assert_eq!(seen["charts"], charts(&direct), "{seen}");
        // What would have to be opened is left out; swatches and bars keep their colours, and no chart is torn in two.
        assert_eq!(
            (&seen["opened"], &seen["kept"], &seen["unbroken"]),
            (&0.into(), &"exact".into(), &true.into()),
            "{seen}"
        );
    }
    let paper = kept("report.pdf");
    let _ = std::fs::remove_file(&paper);
    let print = format!("--print-to-pdf={}", paper.display());
    chromium(
        folder(),
        &[DARK, &print],
        &format!("http://{address}/report.html"),
    );
    let document = std::fs::read(&paper).unwrap();
    assert!(document.starts_with(b"%PDF-") && document.len() > 20_000);
    // Its objects are plain text, what they draw is not.
    let text = String::from_utf8_lossy(&document);
    let pages = text.matches("/Type /Page\n").count() + text.matches("/Type /Page ").count();
    assert!((2..=12).contains(&pages), "{pages} pages");
}

/// Shows a picture, and writes down what is in it.
const SHOW: &str = r#"<!DOCTYPE html><link rel="icon" href="data:,"><img src="data:image/png;base64,PICTURE">
<script id="seen" type="application/json"></script><script>
const image = document.querySelector('img');
addEventListener('load', () => {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const pen = canvas.getContext('2d');
  pen.drawImage(image, 0, 0);
  const dots = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  const colours = {};
  for (let at = 0; at < dots.length; at += 4) {
    const name = (dots[at] << 16 | dots[at + 1] << 8 | dots[at + 2]).toString(16).padStart(6, '0');
    colours[name] = (colours[name] ?? 0) + 1;
  }
  document.getElementById('seen').textContent = JSON.stringify({ width: canvas.width, height: canvas.height, colours });
});
</script>"#;

#[test]
fn the_picture_is_one_that_a_browser_can_show() {
    let (scripted, page) = page();
    let picture = kept("report.png");
    run(&[
        "report",
        &scripted.file("run.json.gz"),
        "-o",
        picture.to_str().unwrap(),
    ])
    .expect(0);
    let file = std::fs::read(&picture).unwrap();
    let shown = SHOW.replace("PICTURE", &data_encoding::BASE64.encode(&file));
    let (address, _) = serve(vec![("/picture", shown)]);
    let (console, dom) = chromium(folder(), &["--dump-dom"], &format!("http://{address}/picture"));
    assert!(console.is_empty(), "{console:?}");
    let seen = seen(&dom);
    assert_eq!(seen["width"], 1280);
    let height = seen["height"].as_u64().unwrap();
    let charts = charts(&page) as u64;
    assert!(
        (charts * 220..charts * 240 + 600).contains(&height),
        "{height} for {charts}"
    );
    let dots = |colour: &str| seen["colours"][colour].as_u64().unwrap_or(0);
    // Mostly white or shaded, lines in their colours, and letters: dark, with soft edges.
    let all = 1280 * height;
    assert!(
        dots("ffffff") + dots("fadfbc") > all * 7 / 10,
        "{}",
        dots("ffffff")
    );
    for line in ["0b5cad", "b35900", "8a1c7c", "d0d7de"] {
        assert!(dots(line) > 200, "{line}: {}", dots(line));
    }
    assert!(dots("1c2128") > 500, "letters: {}", dots("1c2128"));
    assert!(seen["colours"].as_object().unwrap().len() > 50);
    // The name says the format, and so does the flag.
    let piped = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(["report", &scripted.file("run.json.gz"), "--format", "png"])
        .output()
        .unwrap();
    assert!(piped.status.success() && piped.stdout == file);
}

#[test]
fn other_formats_and_wrong_files_are_told_apart() {
    let scripted =
        Scripted::new("export const options = { vus: 1, iterations: 1 }; export default function () {}");
    let file = scripted.file("run.json");
    run(&["run", "--metrics-addr", "off", "--save", &file, scripted.path()]).expect(0);
    // A run without a single request has a page, too.
    let page = run(&["report", &file]).expect(0);
    assert!(page.stdout.starts_with("<!DOCTYPE html>") && page.stdout.ends_with("</html>\n"));
    let markdown = run(&["report", &file, "--format", "md"]).expect(0);
    assert!(
        markdown.stdout.starts_with("### ✅") && markdown.stdout.contains("**VALID**")
            || markdown.stdout.contains("SUSPECT")
            || markdown.stdout.contains("INVALID")
    );
    let json: Value =
        serde_json::from_str(&run(&["report", &file, "--format", "json"]).expect(0).stdout).unwrap();
    assert_eq!(
        (
            json["name"].as_str().unwrap(),
            json["ending"]["exit_code"].as_i64()
        ),
        (scripted.path(), Some(0))
    );
    assert!(json["validity"]["verdict"].is_string() && json["findings"].is_array());
    // The name says the format.
    let named = scripted.file("result.md");
    run(&["report", &file, "-o", &named]).expect(0);
    assert_eq!(scripted.read("result.md"), markdown.stdout);
    run(&["report", scripted.path()])
        .expect(104)
        .says(&["is not a saved run"]);
    run(&["report", &file, "-o", "/no/such/folder/page.html"])
        .expect(104)
        .says(&["cannot write the report /no/such/folder/page.html"]);
    run(&["report", &file, "--format", "pdf"])
        .expect(104)
        .says(&["html, md, json and png"]);
}
