// The application that calls Defender: its roles, and the credential of the worker on Kubernetes. Who deploys it needs
// Application.ReadWrite.All and AppRoleAssignment.ReadWrite.All of Microsoft Graph: assigning a role is giving admin consent.
extension microsoftGraphV1

@description('Name of the application, and what it is found by when this is deployed again.')
param name string = 'defender-investigation-queue'

@description('App roles of WindowsDefenderATP: those that the operations in DEFENDER_OPERATIONS need (docs/api.md, "Operations"), and Machine.Read.All.')
param roles string[] = [
  'Alert.ReadWrite.All'
  'Machine.Read.All'
]

@description('Issuer of the cluster whose worker becomes the application. Empty: no federated credential, as for Container Apps.')
param clusterIssuer string = ''

@description('Service account of the worker.')
param workerSubject string = 'system:serviceaccount:defender-investigation-queue:worker'

// WindowsDefenderATP, the same in every tenant.
resource defender 'Microsoft.Graph/servicePrincipals@v1.0' existing = {
  appId: 'fc780465-2017-40d4-a0c5-307022471b92'
}

func roleId(all array, value string) string => first(filter(all, role => role.value == value)).id

resource application 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: name
  displayName: name
  signInAudience: 'AzureADMyOrg'
  requiredResourceAccess: [
    {
      resourceAppId: defender.appId
      resourceAccess: [
        for role in roles: {
          id: roleId(defender.appRoles, role)
          type: 'Role'
        }
      ]
    }
  ]
}

resource credential 'Microsoft.Graph/applications/federatedIdentityCredentials@v1.0' = if (clusterIssuer != '') {
  name: '${application.uniqueName}/worker'
  issuer: clusterIssuer
  subject: workerSubject
  audiences: ['api://AzureADTokenExchange']
}

resource principal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: application.appId
}

resource assignments 'Microsoft.Graph/appRoleAssignedTo@v1.0' = [
  for role in roles: {
    appRoleId: roleId(defender.appRoles, role)
    principalId: principal.id
    resourceId: defender.id
  }
]

@description('AZURE_CLIENT_ID of the worker.')
output clientId string = application.appId
