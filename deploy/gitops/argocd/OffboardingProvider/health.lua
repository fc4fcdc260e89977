local health = {status = "Progressing", message = "the operator has not seen it as it is now"}
local status = obj.status
if status == nil or status.conditions == nil or status.observedGeneration ~= obj.metadata.generation then
  return health
end
health.status = "Healthy"
for _, condition in ipairs(status.conditions) do
  if condition.type == "Ready" then
    health.message = condition.message
  end
  if (condition.type == "Ready" and condition.status ~= "True") or (condition.type == "CircuitOpen" and condition.status == "True") then
    health.status = "Degraded"
  end
end
if health.status == "Healthy" and obj.spec.suspend then
  health.status = "Suspended"
  health.message = "emergency stop: nothing is deleted here while `spec.suspend` is true"
end
return health
