//! `verify()` asks something on the tunnel's server: `exec(command, { on: 'target' })`, with a real OpenSSH server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod run_support;
mod ssh_support;

use std::time::Duration;

use run_support::{Scripted, Server, eventually, run};
use ssh_support::{Home, LIMIT, Sshd};

fn script(verify: &str) -> Scripted {
    Scripted::new(&format!(
        "import http from 'k6/http';
        import {{ check }} from 'k6';
        import {{ exec }} from 'loadgen/verify';
        export const options = {{ iterations: 1 }};
        export default function () {{ http.get(`${{__ENV.BASE_URL}}/`); }}
        export function verify() {{ {verify} }}"
    ))
}

fn through(sshd: &Sshd, home: &Home, script: &Scripted, more: &[&str]) -> run_support::Ended {
    let server = Server::start();
    let (host, forward) = (sshd.to("tester"), format!("auto:{}", server.address));
    let all = [
        "run",
        "-q",
        "--metrics-addr",
        "off",
        "--no-sampling",
        "--tunnel",
        &host,
        "--forward",
        &forward,
    ];
    home.run(&[&all[..], more, &[script.path()]].concat())
}

#[test]
fn a_command_runs_on_the_server() {
    let sshd = Sshd::start();
    let home = Home::of(&sshd);
    let script = script(
        r#"const here = exec('id -u').stdout.trim();
        const there = exec('id -u; cat; echo "$A" >&2; pwd; exit 3', { on: 'target', input: 'in\n', env: { A: "it's" }, cwd: '/usr' });
        const words = exec(['printf', '%s|', 'a b', "c'd", '$HOME'], { on: 'target' });
        const big = exec('head -c 3000000 /dev/zero', { on: 'target' });
        check(null, {
          [`there ${JSON.stringify(there)}`]: () => there.stdout.endsWith('\nin\n/usr\n') && there.stderr === "it's\n" && there.code === 3,
          [`users ${here} and ${there.stdout}`]: () => there.stdout.split('\n')[0] !== here || here !== '0',
          [`words ${words.stdout}`]: () => words.stdout === "a b|c'd|$HOME|" && words.code === 0,
          [`big ${big.stdout.length}`]: () => big.stdout.length === 1 << 20 && big.code === 0,
          killed: () => exec('kill -9 $$', { on: 'target' }).code === undefined,
        });"#,
    );
    let ended = through(&sshd, &home, &script, &["--allow-exec"]).expect(0);
    assert_eq!(ended.stdout.matches('✓').count(), 5, "{}", ended.stdout);
    // It is as forbidden as here unless it is allowed.
    through(&sshd, &home, &script, &[])
        .expect(107)
        .says(&["--allow-exec"]);
}

#[test]
fn a_command_whose_time_is_up_ends_with_what_it_started() {
    let sshd = Sshd::start();
    let home = Home::of(&sshd);
    let mark = format!("7{:06}", std::process::id());
    let script = script(&format!(
        "const late = exec('sleep {mark} & sleep {mark}', {{ on: 'target', timeout: '500ms' }});
        check(late, {{ 'its time was up': (late) => late.timedOut && late.code === undefined }});"
    ));
    let begun = std::time::Instant::now();
    through(&sshd, &home, &script, &["--allow-exec"]).expect(0);
    assert!(begun.elapsed() < Duration::from_secs(20));
    eventually(LIMIT, "nothing is left", || {
        let found = std::process::Command::new("pgrep")
            .args(["-f", &format!("^sleep {mark}")])
            .output()
            .unwrap();
        found.stdout.is_empty().then_some(())
    });
}

#[test]
fn without_a_tunnel_there_is_no_target() {
    let server = Server::start();
    let script = script("exec('true', { on: 'target' })");
    let base = format!("BASE_URL={}", server.url(""));
    let ended = run(&[
        "run",
        "-q",
        "--metrics-addr",
        "off",
        "--allow-exec",
        "-e",
        &base,
        script.path(),
    ]);
    ended.expect(107).says(&["`on: 'target'` needs --tunnel"]);
}
