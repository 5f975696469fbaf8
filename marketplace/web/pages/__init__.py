"""The pages: templates and views, server-rendered, working without JavaScript."""
