//! `docker-compose.yml`, the Dockerfile and what they mount, as files: what docker-compose makes of them, that nothing in them
//! is open to others or a secret, and that every file, image, host and flag that they name is there. Whether it all works
//! together, `deploy/compose/stand-in.sh` shows (`just compose-test`).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod compose_support;
mod grafana_support;
mod run_support;

use std::collections::BTreeSet;
use std::process::Command;

use clap::Parser;
use compose_support::{Service, compose, filled, service, services, words};
use grafana_support::{path, read, yaml};
use loadgen::cli::Cli;
use yaml_rust2::Yaml;

#[test]
fn docker_compose_reads_it_with_every_profile() {
    for profile in ["", "spike", "soak", "vps"] {
        let mut command = Command::new("docker-compose");
        if !profile.is_empty() {
            command.args(["--profile", profile]);
        }
        let output = command.arg("config").current_dir(path("")).output();
        let output =
            output.unwrap_or_else(|error| panic!("docker-compose: {error}; see .ci/run for what to install"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{profile}: {said}");
        assert!(!said.to_lowercase().contains("warning"), "{profile}: {said}");
    }
    // The newer one, where it is there.
    let newer = Command::new("docker").args(["compose", "version"]).output();
    if newer.is_ok_and(|output| output.status.success()) {
        let checked = Command::new("docker")
            .args(["compose", "config", "--quiet"])
            .current_dir(path(""))
            .output();
        let checked = checked.unwrap();
        assert!(
            checked.status.success() && checked.stderr.is_empty(),
            "{checked:?}"
        );
    }
}

#[test]
fn what_runs_by_itself_is_the_spike() {
    let env = read(".env");
    assert!(env.lines().any(|line| line == "COMPOSE_PROFILES=spike"));
    let running = |profile: &str| -> BTreeSet<String> {
        let all = services().into_iter();
        let chosen = all.filter(|it| it.profiles().is_empty() || it.profiles().contains(&profile.to_owned()));
        chosen.map(|it| it.name).collect()
    };
    let common = ["alertmanager", "grafana", "prometheus", "tempo", "webhook"];
    for (profile, more) in [
        ("spike", &["loadgen", "vps"][..]),
        ("soak", &["soak", "vps"]),
        ("vps", &["real"]),
    ] {
        let expected = common.iter().chain(more).map(|&name| name.to_owned()).collect();
        assert_eq!(running(profile), expected, "{profile}");
    }
    // Whom a service waits for is there when it is.
    for one in services() {
        for other in one.map("depends_on").keys() {
            let other = service(other.as_str().unwrap());
            let in_all = one.profiles().iter().all(|it| other.profiles().contains(it));
            assert!(
                other.profiles().is_empty() || in_all,
                "{} waits for {}",
                one.name,
                other.name
            );
            assert!(
                !other.map("healthcheck").is_empty(),
                "{} is known to be well",
                other.name
            );
        }
    }
}

#[test]
fn images_are_pinned_and_ours_have_the_version_of_the_package() {
    let ours = concat!(":", env!("CARGO_PKG_VERSION"));
    for one in services() {
        let image = filled(one.text("image"));
        let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
        let pinned = tag.trim_start_matches('v').split('.').count() == 3 && !tag.contains("latest");
        assert!(pinned, "{}: {image}", one.name);
        let built = !one.map("build").is_empty();
        assert_eq!(
            built,
            image.starts_with("loadgen") && image.ends_with(ours),
            "{}: {image}",
            one.name
        );
        if built {
            let stage = one.map("build")[&Yaml::from_str("target")]
                .as_str()
                .unwrap()
                .to_owned();
            assert!(read("Dockerfile").contains(&format!(" AS {stage}\n")), "{stage}");
            let (name, _) = image.rsplit_once(':').unwrap();
            assert_eq!(name, if stage == "vps" { "loadgen-vps" } else { "loadgen" });
        }
    }
}

#[test]
fn nothing_is_open_to_other_machines_and_nobody_has_more_rights_than_needed() {
    let mut ports = BTreeSet::new();
    for one in services() {
        for port in one.list("ports") {
            assert!(port.starts_with("127.0.0.1:${"), "{}: {port}", one.name);
            let port = filled(&port);
            let here = port.split(':').nth(1).unwrap().to_owned();
            assert!(ports.insert(here), "{port} twice");
        }
        let name = &one.name;
        assert_eq!(one.list("cap_drop"), ["ALL"], "{name}");
        assert!(
            one.list("security_opt")
                .contains(&"no-new-privileges:true".into()),
            "{name}"
        );
        assert!(
            one.yaml["privileged"].is_badvalue() && one.text("network_mode").is_empty(),
            "{name}"
        );
        assert!(
            !one.list("volumes")
                .iter()
                .any(|it| it.contains("docker.sock") || it.starts_with('/')),
            "{name}"
        );
        let own_root = one.text("user").starts_with('0');
        assert_eq!(
            own_root,
            name == "real",
            "{name}: the one that reads keys of another user"
        );
        assert_eq!(one.list("cap_add").len(), usize::from(own_root), "{name}");
        // Hours of log do not fill the disk.
        let options = &one.yaml["logging"]["options"];
        assert!(options["max-size"].as_str().is_some(), "{name}");
        // And it says whether it is well.
        let test = &one.map("healthcheck")[&Yaml::from_str("test")];
        assert!(
            test.as_vec()
                .is_some_and(|words| words[0].as_str() == Some("CMD")),
            "{name}"
        );
    }
    let vps = service("vps");
    assert_eq!(vps.yaml["cpus"].as_f64(), Some(0.5));
    assert_eq!(
        (vps.text("mem_limit"), vps.text("memswap_limit")),
        ("256m", "256m")
    );
    assert!(vps.list("ports").is_empty(), "it is reached by the tunnel alone");
}

#[test]
fn there_is_no_secret_in_the_files() {
    for one in services() {
        for (name, value) in one.environment() {
            let secret = ["PASSW", "PASSPHRASE", "SECRET", "TOKEN", "API_KEY", "PRIVATE"]
                .iter()
                .any(|part| name.contains(part));
            assert!(!secret || value.is_none(), "{}: {name} has a value", one.name);
        }
    }
    let mut files = vec![
        "docker-compose.yml".to_owned(),
        "Dockerfile".into(),
        ".env".into(),
    ];
    for entry in std::fs::read_dir(path("deploy/compose")).unwrap() {
        files.push(format!(
            "deploy/compose/{}",
            entry.unwrap().file_name().to_str().unwrap()
        ));
    }
    for file in files {
        let text = read(&file);
        assert!(
            !text.contains("PRIVATE KEY") && !text.contains("ssh-ed25519 AAAA"),
            "{file}"
        );
    }
    // No key is part of an image either.
    assert!(read("Dockerfile").contains("rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_*"));
}

#[test]
fn what_is_mounted_is_there_and_what_is_kept_is_declared() {
    let compose = compose();
    let declared: BTreeSet<String> = compose["volumes"]
        .as_hash()
        .unwrap()
        .keys()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect();
    let mut used = BTreeSet::new();
    for one in services() {
        for volume in one.list("volumes") {
            let volume = filled(&volume);
            let mut parts = volume.split(':');
            let (from, to) = (parts.next().unwrap(), parts.next().unwrap());
            let how = parts.next().unwrap_or_default();
            assert!(to.starts_with('/'), "{volume}");
            if let Some(file) = from.strip_prefix("./") {
                assert!(path(file).exists(), "{}: {file}", one.name);
                // Nothing here is written to. `z`: where SELinux is on, containers may read it.
                assert_eq!(how, "ro,z", "{volume}");
            } else if from.starts_with('~') {
                assert_eq!(how, "ro", "{volume}: what sshd here relies on is not relabelled");
            } else {
                used.insert(from.to_owned());
            }
        }
        // Each file of ours that a command names.
        for word in words(&one) {
            if let Some(file) = word
                .split('=')
                .next_back()
                .and_then(|it| it.strip_prefix("/etc/loadgen/"))
            {
                assert!(
                    path("deploy/compose").join(file).is_file(),
                    "{}: {word}",
                    one.name
                );
                assert!(
                    one.list("volumes").iter().any(|it| it.contains(":/etc/loadgen:")),
                    "{}",
                    one.name
                );
            }
        }
    }
    assert_eq!(used, declared);
    // Only loadgen's user writes into its volumes, so they begin as folders of the image that are that user's.
    let dockerfile = read("Dockerfile");
    assert!(dockerfile.contains("install -d -o loadgen -g loadgen /keys /results"));
    assert!(dockerfile.contains("install -d -o loadgen -g loadgen -m 700 /host"));
}

#[test]
fn every_flag_is_one_that_the_program_has() {
    let mut seen = 0;
    let mut understood = |words: &[String], what: &str| {
        let all = std::iter::once("loadgen".to_owned()).chain(words.iter().map(|word| filled(word)));
        if let Err(error) = Cli::try_parse_from(all) {
            panic!("{what}: {words:?}\n{error}");
        }
        seen += 1;
    };
    for one in services() {
        let entry = one.list("entrypoint");
        let command = one.list("command");
        let script = entry.get(1).map_or("", |path| path.rsplit('/').next().unwrap());
        match script {
            "repeat.sh" => {
                assert!(filled(&command[0]).parse::<u32>().is_ok(), "a pause in seconds");
                understood(&command[1..], &one.name);
            }
            "vps.sh" => understood(&[&["demo".to_owned()], command.as_slice()].concat(), &one.name),
            "" if one.text("image").contains("LOADGEN_IMAGE") => understood(&command, &one.name),
            _ => {}
        }
        let test = one.map("healthcheck")[&Yaml::from_str("test")]
            .as_vec()
            .unwrap()
            .clone();
        let test: Vec<String> = test
            .iter()
            .map(|word| word.as_str().unwrap().to_owned())
            .collect();
        if test[1] == "loadgen" {
            understood(&test[2..], &one.name);
        }
    }
    assert!(seen >= 6, "{seen} commands");
}

#[test]
fn addresses_in_the_configuration_are_services() {
    // host:port of whom Prometheus scrapes and tells, of the webhook, and of Grafana's data sources.
    let mut named: Vec<String> = Vec::new();
    let prometheus = yaml("prometheus/prometheus.yml");
    for job in prometheus["scrape_configs"].as_vec().unwrap() {
        named.push(
            job["static_configs"][0]["targets"][0]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    let managers = &prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"][0];
    named.push(managers.as_str().unwrap().to_owned());
    for file in [
        "prometheus/alertmanager.yml",
        "grafana/provisioning/datasources/loadgen.yml",
    ] {
        let text = read(file);
        let urls = text.lines().filter_map(|line| line.split("url: http://").nth(1));
        named.extend(urls.map(|url| url.split('/').next().unwrap().to_owned()));
    }
    assert!(named.len() >= 8, "{named:?}");
    let generators: Vec<Service> = services()
        .into_iter()
        .filter(|it| it.aliases().contains(&"generator".to_owned()))
        .collect();
    assert_eq!(generators.len(), 3);
    for one in &generators {
        assert!(
            words(one).contains(&"--metrics-addr=0.0.0.0:9464".into()),
            "{}",
            one.name
        );
    }
    for address in named {
        let (host, port) = address.rsplit_once(':').unwrap();
        let there = match host {
            "generator" => port == "9464",
            "localhost" => port == "9090",
            "webhook" => service(host).list("command") == [port],
            "tempo" => read("deploy/compose/tempo.yml").contains(&format!("http_listen_port: {port}")),
            _ => service(host)
                .list("ports")
                .iter()
                .any(|it| it.ends_with(&format!(":{port}"))),
        };
        assert!(there, "{address}");
    }
    // The board that is opened first.
    let home = service("grafana")
        .environment()
        .into_iter()
        .find(|(name, _)| name.ends_with("HOME_DASHBOARD_PATH"));
    assert_eq!(
        home.unwrap().1.as_deref(),
        Some("/etc/grafana/dashboards/spike.json")
    );
}

#[test]
fn the_image_is_built_by_the_toolchain_of_the_sources_and_of_what_it_needs() {
    let dockerfile = read("Dockerfile");
    let toolchain = read("rust-toolchain.toml");
    let version = toolchain
        .lines()
        .find_map(|line| line.strip_prefix("channel = "))
        .unwrap()
        .trim_matches('"')
        .to_owned();
    assert!(dockerfile.contains(&format!("ARG RUST_IMAGE=rust:{version}-slim-bookworm")));
    assert!(dockerfile.contains(&format!("RUSTUP_TOOLCHAIN={version} ")));
    // What both stages are made of is of one Debian, or the program would not find its OpenSSL.
    assert!(dockerfile.contains("ARG DEBIAN_IMAGE=debian:bookworm-slim"));
    assert!(
        !dockerfile.contains("--mount") && !dockerfile.contains("# syntax"),
        "it needs no BuildKit"
    );

    // Whatever is copied is there, and is sent to the daemon.
    let ignored = read(".dockerignore");
    let copies = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .filter(|rest| !rest.starts_with("--from"));
    for copy in copies {
        let words: Vec<&str> = copy.split_whitespace().collect();
        for file in &words[..words.len() - 1] {
            assert!(path(file).exists(), "{file}");
            assert!(ignored.lines().any(|line| line == format!("!{file}")), "{file}");
        }
    }
    // Cargo wants every target that the manifest names, also while only dependencies are built.
    let manifest = read("Cargo.toml");
    let mut benches = 0;
    for section in manifest.split("[[bench]]").skip(1) {
        let section = section.split("\n[").next().unwrap();
        let of = |key: &str| {
            section
                .lines()
                .find_map(|line| line.strip_prefix(&format!("{key} = ")))
                .map(|text| text.trim_matches('"').to_owned())
        };
        let file = of("path").unwrap_or_else(|| format!("benches/{}.rs", of("name").unwrap()));
        assert!(dockerfile.contains(&file), "{file}");
        benches += 1;
    }
    assert!(benches >= 3);

    // What is built unless a stage is named is the program, and it does not run as root.
    let last = dockerfile.rsplit("FROM ").next().unwrap();
    assert!(last.starts_with("base AS loadgen\n"), "{last}");
    assert!(
        last.contains("USER loadgen\n") && last.contains("ENTRYPOINT [\"loadgen\"]"),
        "{last}"
    );
}
