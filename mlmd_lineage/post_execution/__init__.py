"""The post-execution API: pipelines, runs, steps and artifacts, whatever platform wrote them."""
