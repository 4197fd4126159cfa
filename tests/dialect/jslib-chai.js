// http_reqs: 1
// checks: 40
import chai, { describe, expect } from 'https://jslib.k6.io/k6chaijs/4.3.4.3/index.js';
import http from 'k6/http';

chai.config.logFailures = true;

export default function () {
  const held = describe('sentences', () => {
    const answer = http.get(`${__ENV.BASE}/get`);
    expect(answer.status, 'status').to.equal(200);
    expect(answer).to.have.validJsonBody();
    expect(answer.json().method).to.be.a('string').and.include('GE');
    expect([1, 2]).to.be.an('array').that.does.not.include(3);
    expect({ a: 1 }).to.deep.equal({ a: 1 });
    expect({ a: 1 }).to.eql({ a: 1 }).but.not.equal({ a: 1 });
    expect({ a: { b: ['x', 'y'] } }).to.have.nested.property('a.b[1]', 'y');
    expect({ a: 1, b: 2 }).to.include({ a: 1, b: 2 });
    expect({ a: 1, b: 2 }).to.have.all.keys('a', 'b');
    expect({ a: 1, b: 2 }).to.not.have.any.keys('c', 'd');
    expect([3, 2, 1]).to.have.members([1, 2, 3]);
    expect([1, 2, 3]).to.include.ordered.members([1, 2]);
    expect('foo').to.have.lengthOf(3);
    expect([1, 2, 3]).to.have.lengthOf.above(2);
    expect(2).to.be.within(1, 3);
    expect(1.5).to.be.closeTo(1.4, 0.2);
    expect('foobar').to.match(/^foo/);
    expect(2).to.be.oneOf([1, 2]);
    expect([]).to.be.empty;
    expect(true).to.be.true;
    expect(null).to.not.exist;
    expect(() => { throw new TypeError('bad'); }).to.throw(TypeError, 'bad');
    expect({ a: 5 }).to.have.property('a').that.is.a('number').above(4);
    expect(new Map([['k', 1]])).to.have.keys('k');
    expect(answer.json()).to.matchSchema({ type: 'object', required: ['method'] });
  });
  if (held !== true) throw new Error('it does not hold');
}
