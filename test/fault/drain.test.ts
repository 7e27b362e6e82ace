import { describeDrain } from './drain/suite.ts'

describeDrain({ runtime: 'js', settings: { HEARTH_DOCKER_HOST: 'unix:///nonexistent/docker.sock' } })
