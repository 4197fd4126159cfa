//! `SharedArray`: made once, held once, read-only, and otherwise as an array.

use super::*;

/// Users of one program, started one after the other on one thread.
async fn crew(program: &Arc<Program>, size: u64) -> Vec<ScriptUser> {
    let recorder = Recorder::new(Registry::new(SystemTags::default()), 0);
    let net = Shared::new(NetOptions::default()).unwrap();
    let http = HttpDefaults::default();
    let shop = Rc::new(Workshop::new(program.clone(), recorder, Epoch::now(), net, http));
    let mut users = Vec::new();
    for vu in 1..=size {
        users.push(ScriptUser::start(shop.clone(), seat(vu)).await.unwrap().0);
    }
    users
}

#[test]
fn one_of_many_users_on_many_threads_makes_it() {
    // It takes a while, so that the others come when it is under way; each would make another one.
    let text = "import { SharedArray } from 'k6/data';
        const data = new SharedArray('d', () => {
            const until = Date.now() + 50;
            while (Date.now() < until) {}
            return [`${__VU} ${Math.random()}`];
        });
        export default function () {}
        export function seen() { return data[0]; }";
    let program = Arc::new(Program::from_text(NAME, text.into(), BTreeMap::new()));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let program = program.clone();
            std::thread::spawn(move || {
                run(async {
                    let mut seen = Vec::new();
                    for mut user in crew(&program, 5).await {
                        seen.push(user.call("seen", Vec::new()).await.unwrap().unwrap());
                    }
                    seen
                })
            })
        })
        .collect();
    let mut seen: Vec<String> = threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect();
    assert_eq!(seen.len(), 20);
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
}

#[test]
fn two_hundred_users_hold_five_megabytes_once() {
    let text = "import { SharedArray } from 'k6/data';
        const data = new SharedArray('big', () =>
            Array.from({ length: 50000 }, (_, i) => ({ id: i, text: 'x'.repeat(85) })));
        export default function () {}
        export function probe() { return [data.length, data[49999].id, data[__VU].text.length]; }";
    let program = Arc::new(Program::from_text(NAME, text.into(), BTreeMap::new()));
    run(async {
        let mut users = crew(&program, 200).await;
        assert_eq!(
            users[150].call("probe", Vec::new()).await.unwrap().as_deref(),
            Some("[50000,49999,85]")
        );
        let held = program.arrays().get("big").unwrap();
        let bytes: usize = (0..held.len()).map(|i| held.json(i).unwrap().len()).sum();
        assert!((5_000_000..6_000_000).contains(&bytes), "{bytes}");
        // Each user has a handle to the same bytes, and no copy.
        assert_eq!(Arc::strong_count(&held), 202);
    });
}

#[test]
fn it_reads_like_an_array() {
    let verdict = once(
        "import { SharedArray } from 'k6/data';
        const data = new SharedArray('d', () => [{ n: 1, in: { deep: [1] } }, 'two', 3, null, undefined]);
        const plain = [{ n: 1, in: { deep: [1] } }, 'two', 3, null, null];
        function same(what, a, b) {
            if (JSON.stringify(a) !== JSON.stringify(b)) throw new Error(`${what}: ${JSON.stringify(a)}`);
        }
        export default function () {
            same('isArray', [Array.isArray(data), data instanceof Array, typeof data], [true, true, 'object']);
            same('stringify', data, plain);
            same('spread', [...data], plain);
            same('length', [data.length, data[4], data.at(-3), data[5], data[-1], data['1']], [5, null, 3, undefined, undefined, 'two']);
            same('map', data.map((value) => typeof value), plain.map((value) => typeof value));
            same('filter', data.filter((value) => value), plain.filter((value) => value));
            same('find', data.find((value) => value === 3), 3);
            same('slice', data.slice(1, 3), ['two', 3]);
            same('concat', [0].concat(data), [0].concat(plain));
            same('reduce', data.reduce((count) => count + 1, 0), 5);
            same('indexOf', [data.indexOf('two'), data.includes(3)], [1, true]);
            same('keys', [Object.keys(data), Object.entries(data).length], [Object.keys(plain), 5]);
            same('in', [1 in data, 5 in data, 'length' in data, 'map' in data], [true, false, true, true]);
            let n = 0;
            for (const value of data) same('for of', value, plain[n++]);
            data.forEach((value, i) => same('forEach', value, plain[i]));
            for (const i in data) n += Number(i);
            same('for in', n, 15);
            const [first, , third] = data;
            same('destructuring', [first.n, third], [1, 3]);
        }",
    );
    assert!(matches!(verdict, Verdict::Complete), "{verdict:?}");
}

#[test]
fn nothing_in_it_can_be_changed() {
    for change in [
        "data[0] = 1",
        "data[7] = 1",
        "data.push(1)",
        "data.length = 0",
        "data.sort()",
        "delete data[0]",
        "data.name = 'x'",
        "Object.defineProperty(data, '0', { value: 1 })",
        "Object.setPrototypeOf(data, null)",
        "data[0].n = 2",
        "data[0].more = 2",
        "data[0].in.deep.push(2)",
        "delete data[0].n",
    ] {
        let error = thrown(once(&format!(
            "import {{ SharedArray }} from 'k6/data';
            const data = new SharedArray('d', () => [{{ n: 1, in: {{ deep: [1] }} }}, 'b', 'a']);
            export default function () {{ {change}; }}"
        )));
        assert!(error.message.starts_with("TypeError"), "{change}: {error}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    for (make, said) in [
        ("new SharedArray('', () => [])", "needs a name"),
        ("new SharedArray()", "needs a name"),
        ("new SharedArray('d')", "needs a function"),
        ("new SharedArray('d', [1])", "needs a function"),
        (
            "new SharedArray('d', () => ({}))",
            "`d` must return an array, it returned object",
        ),
        ("new SharedArray('d', () => {})", "it returned undefined"),
        ("new SharedArray('d', async () => [])", "cannot be async"),
        (
            "new SharedArray('d', () => { throw new Error('mine'); })",
            "Error: mine",
        ),
    ] {
        let text = format!("import {{ SharedArray }} from 'k6/data'; {make};");
        let error = run(start(&text)).err().unwrap();
        assert!(error.message.contains(said), "{make}: {error}");
    }
    let late = "import { SharedArray } from 'k6/data';
        export default function () { new SharedArray('d', () => []); }";
    assert!(thrown(once(late)).message.contains("init context"));
}

#[test]
fn one_may_be_made_from_another_and_a_failure_lets_others_try() {
    let text = "import data from 'k6/data';
        const b = new data.SharedArray('b', () => [...new data.SharedArray('a', () => [1, 2])].map((n) => n * 2));
        let failed = false;
        try { new data.SharedArray('c', () => { throw 1; }); } catch (e) { failed = true; }
        const c = new data.SharedArray('c', () => [3]);
        export default function () {
            if (b[1] !== 4 || !failed || c[0] !== 3) throw new Error(JSON.stringify([b, c]));
        }";
    let verdict = once(text);
    assert!(matches!(verdict, Verdict::Complete), "{verdict:?}");
}
