// iterations: 1
// checks: 16
import { check } from 'k6';
import { parseHTML } from 'k6/html';

const page = parseHTML(`<html><body>
  <a id="link" rel="nofollow noopener" href="http://user:pw@example.com:8080/a/b?x=1#end">to <b>there</b></a>
  <label for="name">Name</label>
  <form id="order" action="http://example.com/order" method="post" enctype="multipart/form-data">
    <label>Wrapped <input id="name" name="name" value="Ann" tabindex="3" required></label>
    <input type="checkbox" name="box"><input type="radio" name="r" value="2" checked>
    <textarea name="text">a &amp; b</textarea>
    <select name="size"><option value="s">Small</option><optgroup disabled><option id="l" selected>Large</option></optgroup></select>
    <select name="many" multiple><option selected>1</option><option>2</option><option selected value="three">3</option></select>
    <select name="none"><option>x</option></select>
    <button name="go" formaction="http://example.com/now">Go</button>
  </form>
  <table><thead><tr><th>h</th></tr></thead><tbody><tr><td>1</td><td id="cell" colspan="2">2</td></tr></tbody></table>
  <progress value="1" max="4"></progress><ol type="a"><li value="7">seven</li></ol>
  </body></html>`);

const get = (css) => page.find(css).get(0);

export default function () {
  const link = get('#link');
  const form = get('#order');
  const input = get('#name');
  const sizes = get('select');
  const large = get('#l');
  check(link, {
    host: (a) => [a.host(), a.hostname(), a.port(), a.protocol()].join() === 'example.com:8080,example.com,8080,http',
    path: (a) => [a.pathname(), a.search(), a.hash()].join() === '/a/b,?x=1,#end',
    user: (a) => [a.username(), a.password(), a.origin()].join() === 'user,pw,http://example.com:8080',
    relList: (a) => a.relList().join() === 'nofollow,noopener' && a.text() === 'to there',
    href: (a) => a.href() === 'http://user:pw@example.com:8080/a/b?x=1#end' && a.toString() === a.href(),
  });
  check(form, {
    form: (f) => f.elements().length === 8 && f.length() === 8 && f.method() === 'post' && f.enctype() === 'multipart/form-data',
    action: (f) => f.action() === 'http://example.com/order' && f.name() === '' && f.noValidate() === false,
  });
  check(input, {
    input: (i) => i.type() === 'text' && i.value() === 'Ann' && i.tabIndex() === 3 && i.required() && !i.disabled() && i.maxLength() === -1,
    'its form': (i) => i.form().id() === 'order' && i.formMethod() === 'post' && i.formAction() === 'http://example.com/order',
    'its labels': (i) => i.labels().length === 2 && get('label').control().id() === 'name',
    button: () => get('button').type() === 'submit' && get('button').formAction() === 'http://example.com/now' && get('button').value() === 'Go',
  });
  check(sizes, {
    select: (s) => s.options().length === 2 && s.length() === 2 && s.selectedIndex() === 1 && s.value() === 'Large' && s.type() === 'select',
    option: () => large.index() === 1 && large.disabled() && large.selected() && large.label() === 'Large' && large.form().id() === 'order',
    table: () => get('table').rows().length === 2 && get('tr').cells().length === 1 && get('#cell').cellIndex() === 1 && get('#cell').colSpan() === 2,
    others: () => get('progress').position() === 0.25 && get('ol').type() === 'a' && get('li').value() === 7,
  });
  const values = page.find('input, select, textarea').toArray().map((field) => field.val());
  check(values, {
    'val()': (all) => JSON.stringify(all) === JSON.stringify(['Ann', 'on', '2', 'a &amp; b', 'Large', ['1', 'three'], '']),
  });
}
