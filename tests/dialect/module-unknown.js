// exit: 107
// says: k6/nothing
import nothing from 'k6/nothing';

export default nothing;
