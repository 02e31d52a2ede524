package planted

import _ "kerf/platform/bus"
