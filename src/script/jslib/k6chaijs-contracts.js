// `expect(…).to.matchSchema(…)` as a plugin of k6chaijs: https://jslib.k6.io/k6chaijs-contracts. Ours has it already.
export function initContractPlugin() {}
export default { initContractPlugin };
