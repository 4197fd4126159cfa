export const own = JSON.parse(open('./data.json'));
