-- Suspended: nothing goes on and nothing is wrong (people, a hold, a moment, a budget). Degraded: something must go away first.
local health = {status = "Progressing", message = "the operator has not seen it as it is now"}
local status = obj.status
if status == nil or status.conditions == nil or status.observedGeneration ~= obj.metadata.generation then
  return health
end
local is, because = {}, {}
for _, condition in ipairs(status.conditions) do
  is[condition.type] = condition.status
  because[condition.type] = condition.reason
end
health.message = status.waitingFor or status.phase
if is.Ready == "True" then
  health.status = "Healthy"
elseif is.Stalled == "True" or because.Ready == "Blocked" then
  health.status = "Degraded"
elseif is.Waiting == "True" and is.Reconciling == "False" then
  health.status = "Suspended"
end
return health
