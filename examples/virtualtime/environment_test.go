package virtualtime

import _ "omnibus/internal/cleanenv" // so that the test does not see the machine's AWS settings
