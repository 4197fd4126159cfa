// exit: 104
// says: nowhere
export const options = {
  scenarios: { lost: { executor: 'shared-iterations', exec: 'nowhere' } },
};

export default function () {}
