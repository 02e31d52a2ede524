package planted

import _ "kerf/modules/orders"
