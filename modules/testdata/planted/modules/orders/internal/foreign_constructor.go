package planted

import _ "kerf/modules/kitchen"
