-- There is no `approve`: Argo CD would be the one who agreed.
local over = obj.status ~= nil and obj.status.finished == true
local given_up = over or obj.spec.cancel == true
local suspended = obj.spec.suspend == true
return {
  cancel = {disabled = given_up, iconClass = "fa fa-fw fa-ban", displayName = "Cancel for good"},
  resume = {disabled = given_up or not suspended, iconClass = "fa fa-fw fa-play"},
  retry = {disabled = over, iconClass = "fa fa-fw fa-rotate-right", displayName = "Look again now"},
  suspend = {disabled = given_up or suspended, iconClass = "fa fa-fw fa-pause"},
}
