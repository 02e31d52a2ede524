package planted

import _ "github.com/labstack/echo/v4"
