//! The flash sale against the embedded target: exactly a hundred orders are accepted, and the verdict says so.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test that cannot go on fails; counts are whole numbers"
)]

mod redis_support;
mod run_support;
mod scenario_support;

use redis_support::Redis;
use run_support::{Ended, Server, run};
use scenario_support::play;

const SALE: &str = "flux-gate/flash-sale";

#[test]
fn a_hundred_orders_are_accepted_and_the_rest_is_sold_out() {
    let told = play(SALE, &["--vus", "20", "--iterations", "2000", "--no-thresholds"]).expect(0);
    assert_eq!(told.requests("init"), 1);
    assert_eq!(told.requests("order"), 2000);
    assert_eq!(told.sum("orders_accepted", &[]), 100.0);
    assert_eq!(told.sum("orders_rejected", &[]), 1900.0);
    assert_eq!(told.sum("rate_limited", &[]), 0.0);
    assert_eq!(told.count("order_latency", &[]), 2000);
    assert_eq!(told.count("http_reqs", &[("status", "409")]), 1900);
    assert_eq!(told.sum("http_req_failed", &[]), 0.0);
    for check in [
        "no overselling: 100 orders of 100 items",
        "accepted orders are in the books: 100 accepted, 0 unanswered, 100 orders",
        "stock is what is left: 0 = 100 - 100",
        "sold out: exactly 100 orders and stock 0; found 100 and 0",
    ] {
        assert!(
            told.ended.stdout.contains(check),
            "{check}\n{}",
            told.ended.stdout
        );
    }
}

#[test]
fn a_small_run_does_not_claim_that_all_is_sold() {
    let told = play(SALE, &["--iterations", "7", "--no-thresholds"]).expect(0);
    assert_eq!(told.sum("orders_accepted", &[]), 7.0);
    let stdout = &told.ended.stdout;
    assert!(stdout.contains("stock is what is left: 93 = 100 - 7"), "{stdout}");
    assert!(!stdout.contains("sold out:"), "{stdout}");
}

#[test]
fn overselling_fails_the_run_and_names_the_numbers() {
    let told = play(
        SALE,
        &[
            "--vus",
            "10",
            "--iterations",
            "3000",
            "--no-thresholds",
            "--demo-args",
            "--fault oversell",
        ],
    )
    .expect(112);
    let accepted = told.sum("orders_accepted", &[]);
    assert!(accepted > 100.0, "{accepted}");
    let check = format!("no overselling: {accepted} orders of 100 items");
    assert!(
        told.ended.stdout.contains(&check),
        "{check}\n{}",
        told.ended.stdout
    );
}

#[test]
fn the_waiting_room_is_a_right_answer_that_is_not_followed() {
    let told = play(
        SALE,
        &[
            "--vus",
            "10",
            "--duration",
            "3s",
            "--no-thresholds",
            "-e",
            "QUANTITY=30",
            "--demo-args",
            "--waiting-room 20",
        ],
    )
    .expect(0);
    let sent_away = told.sum("rate_limited", &[]);
    assert!(sent_away > 0.0);
    assert_eq!(told.count("http_reqs", &[("status", "302")]) as f64, sent_away);
    let answers = told.sum("orders_accepted", &[]) + told.sum("orders_rejected", &[]) + sent_away;
    assert_eq!(told.requests("order") as f64, answers);
    assert_eq!(told.sum("orders_accepted", &[]), 30.0);
}

#[test]
fn the_documented_load_ends_with_the_verdict_and_shows_the_split() {
    // Its shape, five times as fast.
    let told = play(
        SALE,
        &["--stage", "2s:50", "--stage", "2s:100", "--stage", "1s:0"],
    );
    // The promise on latency is for a machine that does nothing else; whatever comes of it, nothing else failed.
    assert!([0, 99].contains(&told.ended.code), "{}", told.ended.stderr);
    assert_eq!(told.sum("orders_accepted", &[]), 100.0);
    let stdout = &told.ended.stdout;
    for part in [
        "sold out: exactly 100 orders and stock 0; found 100 and 0",
        "{ name:order,status:200 }",
        "{ name:order,status:409 }",
    ] {
        assert!(stdout.contains(part), "{part}\n{stdout}");
    }
    assert_eq!(
        told.count("http_reqs", &[("name", "order"), ("status", "200")]),
        100
    );
}

/// A shop whose orders and stock are in a real Redis, and which sells `spare` more than it has.
fn sale_in_redis(spare: i32) -> Ended {
    let redis = Redis::start();
    let port = redis.port.clone();
    let shop = Server::with(move |path| match path {
        "/init" => {
            redis.ask(&["SET", "product:iphone-15:stock", "30"]);
            Some(200)
        }
        "/order" => {
            let sell = "if tonumber(redis.call('GET', KEYS[1])) + tonumber(ARGV[1]) <= 0 then return 0 end
                        redis.call('DECR', KEYS[1]) return redis.call('RPUSH', 'orders', 'one')";
            let sold = redis.ask(&["EVAL", sell, "1", "product:iphone-15:stock", &spare.to_string()]);
            Some(if sold.trim() == "0" { 409 } else { 200 })
        }
        _ => Some(404),
    });
    let base = format!("BASE_URL={}", shop.url(""));
    let orders = format!("ORDERS_COMMAND=redis-cli -p {port} LLEN orders");
    let stock = format!("STOCK_COMMAND=redis-cli -p {port} GET product:iphone-15:stock");
    let load = [
        "--vus",
        "5",
        "--iterations",
        "60",
        "--no-thresholds",
        "--allow-exec",
    ];
    let quiet = ["run", SALE, "-q", "--metrics-addr", "off", "-e", "QUANTITY=30"];
    run(&[&quiet[..], &load, &["-e", &base, "-e", &orders, "-e", &stock]].concat())
}

#[test]
fn the_books_may_be_a_database() {
    let ended = sale_in_redis(0).expect(0);
    let check = "sold out: exactly 30 orders and stock 0; found 30 and 0";
    assert!(ended.stdout.contains(check), "{}", ended.stdout);
    let ended = sale_in_redis(2).expect(112);
    let check = "✗ no overselling: 32 orders of 30 items";
    assert!(ended.stdout.contains(check), "{}", ended.stdout);
}

#[test]
fn books_that_cannot_be_read_are_no_overselling() {
    let shop = Server::with(|path| {
        Some(if path.starts_with("/init") || path == "/order" {
            200
        } else {
            404
        })
    });
    let base = format!("BASE_URL={}", shop.url(""));
    let arguments = [
        "run",
        SALE,
        "-q",
        "--metrics-addr",
        "off",
        "--iterations",
        "3",
        "--no-thresholds",
    ];
    let ended = run(&[&arguments[..], &["-e", &base]].concat()).expect(107);
    let ended = ended.says(&["GET /orders?productId=iphone-15 answered 404", "ORDERS_COMMAND"]);
    assert!(!ended.stdout.contains("overselling"), "{}", ended.stdout);
    let told = ["-e", &base, "--allow-exec", "-e", "ORDERS_COMMAND=echo many"];
    run(&[&arguments[..], &told].concat())
        .expect(107)
        .says(&["`echo many` printed no number: many"]);
    let told = ["-e", &base, "-e", "ORDERS_COMMAND=echo 3"];
    run(&[&arguments[..], &told].concat())
        .expect(107)
        .says(&["--allow-exec"]);
}

#[test]
fn without_a_shop_the_sale_does_not_open() {
    let told = play(SALE, &["--iterations", "1", "-e", "BASE_URL=http://127.0.0.1:9"]).expect(107);
    assert_eq!(told.requests("order"), 0);
    assert!(
        told.ended.stderr.contains("the sale did not open"),
        "{}",
        told.ended.stderr
    );
}
