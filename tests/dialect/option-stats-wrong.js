// exit: 104
// says: summaryTrendStats
// says: summaryTimeUnit
export const options = { summaryTrendStats: ['avg', 'p95'], summaryTimeUnit: 'hours' };

export default function () {}
