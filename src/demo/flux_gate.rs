//! The fourth system, Flux-Gate: a flash sale of a limited stock, to as many buyers as ask.
//!
//! | endpoint | |
//! |---|---|
//! | `POST /init` | a product and its stock; what was sold before is forgotten |
//! | `POST /order` | 200, or 302 to the waiting room, or 409 when sold out |
//! | `GET /stock/{productId}` | what is left, what there was, orders accepted |
//! | `GET /orders?productId=` | how many, and the latest 100 |
//! | `GET /waiting-room` | where too many buyers are sent |
//!
//! Nothing is sold twice, because there is one place where an order is decided: under the lock of its sale, in which
//! the stock, the orders and the idempotency keys change together. A key that was sold to gets the same order again; one
//! that came too late gets the same 409 again, because a sale that is over stays over until the next `/init`.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use http::header::LOCATION;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::dice::Dice;
use super::kept::{Kind, array};
use super::locked;
use super::route::{Call, Reply, Route, of};
use super::window::Window;

/// Products on sale at most.
const MAX_PRODUCTS: usize = 1000;
/// Longest product, user and idempotency key, in bytes.
const MAX_TEXT: usize = 128;
/// Orders that a list shows.
const LISTED: usize = 100;
/// Share of orders past the stock that are accepted with `--fault oversell`.
const OVERSOLD: f64 = 0.05;

/// What can be set about the system.
#[derive(Debug)]
pub struct Rules {
    /// Idempotency keys that a sale remembers.
    pub max_keys: usize,
    /// Orders per second; past them buyers are sent to the waiting room.
    pub waiting_room: Option<u32>,
    /// Accept orders past the stock.
    pub oversell: bool,
    /// Seed of the chance by which that happens.
    pub seed: u64,
}

/// The system's routes.
pub fn routes(rules: Rules) -> Vec<Route> {
    let system = Arc::new(FluxGate {
        door: rules
            .waiting_room
            .map(|most| Window::new(Duration::from_secs(1), most)),
        dice: Dice::new(rules.seed),
        sales: RwLock::default(),
        rules,
    });
    let routes = [
        Route::new(Method::POST, "/init", of(&system, FluxGate::init)),
        Route::new(Method::POST, "/order", of(&system, FluxGate::order)),
        Route::new(Method::GET, "/stock/{product}", of(&system, FluxGate::stock)),
        Route::new(Method::GET, "/orders", of(&system, FluxGate::orders)),
        Route::new(Method::GET, "/waiting-room", waiting_room),
    ];
    routes.into_iter().map(Route::cheap).collect()
}

struct FluxGate {
    rules: Rules,
    door: Option<Window>,
    dice: Dice,
    sales: RwLock<HashMap<String, Arc<Mutex<Sale>>>>,
}

/// The sale of one product.
#[derive(Debug)]
struct Sale {
    number: u64,
    initial: u64,
    accepted: u64,
    /// The latest accepted orders, oldest first.
    latest: VecDeque<Arc<str>>,
    /// The orders of remembered idempotency keys.
    keys: HashMap<Arc<str>, u64>,
    /// The same keys, oldest first.
    key_order: VecDeque<Arc<str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Init {
    product_id: String,
    quantity: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order<'a> {
    #[serde(borrow)]
    product_id: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    user_id: std::borrow::Cow<'a, str>,
}

impl FluxGate {
    fn init(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let Init { product_id, quantity } = call.json()?;
        within("productId", &product_id)?;
        let reply =
            json!({ "productId": product_id, "quantity": quantity, "status": "initialized" }).to_string();
        let mut sales = self.sales.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(sale) = sales.get(&product_id) {
            // The same sale begun anew, not another in its place: an order under way is either before it or after it.
            let mut sale = locked(sale);
            let number = sale.number + 1;
            *sale = Sale::new(number, quantity);
        } else if sales.len() < MAX_PRODUCTS {
            sales.insert(product_id, Arc::new(Mutex::new(Sale::new(0, quantity))));
        } else {
            let message = format!("there are {MAX_PRODUCTS} products on sale, and no more are taken");
            return Err(Reply::error(StatusCode::INSUFFICIENT_STORAGE, &message));
        }
        Ok(Reply::ok(reply))
    }

    fn order(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let Order { product_id, user_id } = call.json()?;
        within("userId", &user_id)?;
        let key = call.header("x-idempotency-key");
        if let Some(key) = key {
            within("the header x-idempotency-key", key)?;
        }
        let sale = self.sale(&product_id)?;
        let mut sale = locked(&sale);
        if let Some(order) = key.and_then(|key| sale.keys.get(key)) {
            return Ok(accepted(sale.number, *order));
        }
        if let Some(door) = &self.door
            && door.enter(Instant::now()).is_err()
        {
            return Ok(to_waiting_room(&product_id));
        }
        let sold_out = sale.accepted >= sale.initial;
        let oversells = || self.rules.oversell && self.dice.roll() < OVERSOLD;
        if sold_out && !oversells() {
            return Ok(Reply::error(StatusCode::CONFLICT, "sold out"));
        }
        let order = sale.sell(&user_id);
        if let Some(key) = key {
            sale.remember(key, order, self.rules.max_keys);
        }
        Ok(accepted(sale.number, order))
    }

    fn stock(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let product = call.param("product");
        let sale = self.sale(&product)?;
        let sale = locked(&sale);
        let reply = json!({
            "productId": product, "stock": i128::from(sale.initial) - i128::from(sale.accepted),
            "initial": sale.initial, "accepted": sale.accepted,
        });
        Ok(Reply::ok(reply.to_string()))
    }

    fn orders(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let product = call.query("productId").unwrap_or_default();
        let sale = self.sale(&product)?;
        let sale = locked(&sale);
        let latest = array(sale.latest.iter().rev().map(AsRef::as_ref));
        let product = json!(product);
        Ok(Reply::ok(format!(
            r#"{{"productId":{product},"count":{},"orders":{latest}}}"#,
            sale.accepted
        )))
    }

    fn sale(&self, product: &str) -> Result<Arc<Mutex<Sale>>, Reply> {
        let sales = self.sales.read().unwrap_or_else(PoisonError::into_inner);
        let found = sales.get(product).map(Arc::clone);
        found.ok_or_else(|| Reply::not_found("there is no such product on sale: POST /init starts a sale"))
    }
}

impl Sale {
    fn new(number: u64, initial: u64) -> Sale {
        Sale {
            number,
            initial,
            accepted: 0,
            latest: VecDeque::new(),
            keys: HashMap::new(),
            key_order: VecDeque::new(),
        }
    }

    fn sell(&mut self, user: &str) -> u64 {
        self.accepted += 1;
        if self.latest.len() == LISTED {
            self.latest.pop_front();
        }
        let id = order_id(self.number, self.accepted);
        self.latest
            .push_back(json!({ "orderId": id, "userId": user }).to_string().into());
        self.accepted
    }

    fn remember(&mut self, key: &str, order: u64, most: usize) {
        if self.key_order.len() >= most.max(1)
            && let Some(oldest) = self.key_order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        let key: Arc<str> = key.into();
        self.keys.insert(Arc::clone(&key), order);
        self.key_order.push_back(key);
    }
}

/// The number of the sale is in it, so that the orders of one are not those of the next.
fn order_id(sale: u64, order: u64) -> String {
    Kind::Order.id((sale << 32) | order)
}

fn accepted(sale: u64, order: u64) -> Reply {
    let id = order_id(sale, order);
    Reply::ok(format!(r#"{{"orderId":"{id}","status":"accepted"}}"#))
}

fn to_waiting_room(product: &str) -> Reply {
    let product: String = url::form_urlencoded::byte_serialize(product.as_bytes()).collect();
    Reply::error(StatusCode::FOUND, "too many orders at once: wait")
        .with(LOCATION, format!("/waiting-room?productId={product}"))
}

fn waiting_room(call: &Call<'_>) -> Reply {
    let product = call.query("productId");
    Reply::ok(json!({ "status": "waiting", "productId": product, "retryAfterMs": 1000 }).to_string())
}

fn within(what: &str, text: &str) -> Result<(), Reply> {
    if text.is_empty() || text.len() > MAX_TEXT {
        let message = format!("{what} has 1 to {MAX_TEXT} bytes, this one has {}", text.len());
        return Err(Reply::bad_request(&message));
    }
    Ok(())
}

#[cfg(test)]
#[path = "flux_gate/tests.rs"]
mod tests;
