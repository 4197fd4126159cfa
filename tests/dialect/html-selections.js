// iterations: 1
// checks: 10
// says: selects nothing
import { check } from 'k6';
import { parseHTML } from 'k6/html';

const page = parseHTML('<ul id="a"><li>1</li><li class="b">2 <i>x</i></li></ul><ul id="c"><li>3</li></ul>');

// What is looked for may be a selection or an element.
export default function () {
  const lists = page.find('ul');
  const second = page.find('.b');
  const inner = page.find('i');
  check(page, {
    find: () => lists.find(second).text() === '2 x' && lists.find(inner.get(0)).size() === 1 && lists.eq(1).find(second).size() === 0,
    has: () => lists.has(inner).attr('id') === 'a' && lists.has(second.get(0)).size() === 1,
    closest: () => inner.closest(lists).attr('id') === 'a' && inner.closest(second.get(0)).size() === 1 && inner.closest('ol').size() === 0,
    index: () => second.index() === 1 && page.find('li').index(second) === 1 && lists.eq(1).index('ul') === 1 && lists.index(inner) === -1,
    map: () => JSON.stringify(page.find('li').map((i, li) => i)) === '["0","1","2"]',
    'map throws': () => page.find('li').map((i) => { if (i === 1) throw new Error('no'); return 'x'; }).join() === 'x,,x',
    single: () => page.single('li').text() === '1' && page.find('ul').single('i').size() === 1 && page.single('ol').size() === 0,
    'text that is contained': () => page.find('li:contains("X")').size() === 1 && page.find("li[class!='b']").size() === 2,
    'a selector that is none': () => page.find('li[[').size() === 0 && page.find('li').filter(':nope').size() === 0,
    'a value of what has none': () => second.val() === undefined,
  });
}
