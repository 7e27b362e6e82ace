import { describeDrain } from '../drain/suite.ts'

describeDrain({ runtime: 'node', settings: {} })
