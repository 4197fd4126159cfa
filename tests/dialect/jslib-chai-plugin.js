// args: -i 1
// iterations: 1
// checks: 9
import chai, { describe, expect, use } from 'https://jslib.k6.io/k6chaijs/4.3.4.3/index.js';

// Words of a script's own, as plugins of the library add them.
chai.use(({ Assertion }, utils) => {
  Assertion.addMethod('sold', function (count) {
    const shop = this._obj;
    new Assertion(shop).to.be.an('object');
    this.assert(shop.sold === count, 'expected #{this} to have sold #{exp}, not #{act}', 'expected #{this} not to', count, shop.sold);
  });
  Assertion.addMethod('goods', function () {
    utils.flag(this, 'object', utils.flag(this, 'object').goods);
  });
});
use((_, utils) => {
  utils.addProperty(chai.Assertion.prototype, 'open', function () {
    this.assert(this._obj.open, 'expected #{this} to be open', 'expected #{this} to be closed');
  });
  utils.overwriteMethod(chai.Assertion.prototype, 'sold', (before) => function (count) {
    before.call(this, Number(count));
  });
});

const shop = { sold: 3, open: true, goods: ['a', 'b'] };

export default function () {
  describe('a shop', () => {
    expect(shop, 'shop').to.have.sold(3);
    expect(shop).to.have.sold('3');
    expect(shop, 'shop').to.be.open;
    expect({ open: false }).to.not.be.open;
    expect(shop).to.have.goods().that.includes('b');
    expect(shop.goods[0]).to.have.string('a');
  });
}
